/* SPDX-License-Identifier: Apache-2.0 */
/* noop.c - what starting and ending a program costs by itself, for the benchmark */

int main(void)
{
	return 0;
}
