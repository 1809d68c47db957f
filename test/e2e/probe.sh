#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# probe.sh - runs inside a container and says what it finds there
#
#	probe.sh PATH... -- MAJOR:MINOR...
#
# For every PATH: what it is, whether it opens for reading and writing, whether its mode can
# be changed. For every number: whether a node made here opens. Then the mounts and the
# whole of /dev. Needs nothing but busybox.

b=/bin/busybox

# Prints how opening went: "ok", or the shell's words for the error.
open_result() {
	if error=$({ : <>"$1"; } 2>&1); then
		echo ok
	else
		echo "${error##*: }"
	fi
}

$b echo "ids $($b id -u) $($b id -g)"
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	if [ -L "$1" ]; then
		$b echo "link $1 $($b readlink "$1")"
	elif [ -c "$1" ]; then
		$b stat -c 'node %n %t:%T %a %u:%g' "$1"
		$b echo "open $1 $(open_result "$1")"
		mode=$($b stat -c %a "$1")
		if error=$($b chmod "$mode" "$1" 2>&1); then
			$b echo "chmod $1 ok"
		else
			$b echo "chmod $1 ${error##*: }"
		fi
	elif [ -e "$1" ]; then
		$b echo "other $1"
	fi
	shift
done
[ $# -gt 0 ] && shift
for number; do
	node=/tmp/node-$number
	if error=$($b mknod "$node" c "${number%:*}" "${number#*:}" 2>&1); then
		$b echo "mknod $number $(open_result "$node")"
	else
		$b echo "mknod $number ${error##*: }"
	fi
done
while read -r line; do
	$b echo "mount $line"
done </proc/self/mountinfo
$b find /dev ! -type d ! -path '/dev/pts/*' ! -path '/dev/shm/*' \
	-exec $b stat -c 'dev %n %F %t:%T %a %u:%g' {} + | $b sort
$b echo end
