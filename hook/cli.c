/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c - the command line: one table of commands, one of options */

#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "oci/config.h"
#include "oci/settings_file.h"
#include "run.h"

static const struct command commands[] = {
	{
		.name = "createRuntime",
		.help = "the hook: reads the container's state on standard input (default)",
		.run = run_hook,
		.is_hook = true,
	},
	{
		.name = "prestart",
		.help = "the same, for the older stage",
		.run = run_hook,
		.is_hook = true,
	},
	{
		.name = "poststop",
		.help = "gives back what a stopped container held; its state on standard input",
		.run = run_poststop,
		.is_hook = true,
	},
	{
		.name = "precreate",
		.help = "podman's stage: config.json on standard input, edited on output",
		.run = run_precreate,
		.is_hook = true,
	},
	{
		.name = "plan",
		.help = "says what a container would get, and changes nothing",
		.run = run_plan,
		.has_json = true,
		.has_request = true,
	},
	{
		.name = "list",
		.help = "lists the GPUs of this host",
		.run = run_list,
		.has_json = true,
	},
};

enum option_id {
	OPTION_BUNDLE,
	OPTION_GPU,
	OPTION_PID,
	OPTION_JSON,
	OPTION_HOST_ROOT,
	OPTION_ANNOTATION,
	OPTION_CONFIG,
	OPTION_LOG_LEVEL,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_COUNT,
};

static const struct {
	char letter; /* 0: none */
	const char *name;
	const char *value; /* NULL: takes none */
	const char *help;
} options[OPTION_COUNT] = {
	[OPTION_BUNDLE] = {0, "bundle", "DIR", "plan: for the container of this bundle"},
	[OPTION_GPU] = {0, "gpu", "VALUE", "plan: for this value of the annotation"},
	[OPTION_PID] = {0, "pid", "PID",
			"plan: would the nodes open in this process now, or who denies?"},
	[OPTION_JSON] = {0, "json", NULL, "plan, list: for programs"},
	[OPTION_HOST_ROOT] = {0, "host-root", "DIR",
			      "take /sys, /proc and /dev from DIR"},
	[OPTION_ANNOTATION] = {0, "annotation", "KEY",
			       "the annotation to read (" OCI_DEFAULT_ANNOTATION ")"},
	[OPTION_CONFIG] = {0, "config", "FILE",
			   "the configuration (" SETTINGS_SYSTEM_FILE ")"},
	[OPTION_LOG_LEVEL] = {0, "log-level", "LEVEL",
			      "error, warning (default) or info"},
	[OPTION_HELP] = {'h', "help", NULL, "show this help"},
	[OPTION_VERSION] = {'V', "version", NULL, "show the version"},
};

/* Those of the table. */
#define LETTERS "hV"

/* What getopt_long() gives for an argument that is no option; for an option without a
   letter it gives its number above those of letters. */
#define IS_WORD	     1
#define FIRST_NUMBER 256

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

int cli_print_help(FILE *out, struct err *err)
{
	(void)fprintf(out, "usage: oci-gpu-hook [COMMAND] [OPTION...]\n\n"
			   "Gives a container its GPUs; an OCI runtime hook.\n\n"
			   "Commands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		(void)fprintf(out, "  %-15s %s\n", commands[i].name, commands[i].help);
	}
	(void)fprintf(out, "\nOptions:\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char left[32];

		if (options[i].letter) {
			(void)snprintf(left, sizeof(left), "--%s, -%c", options[i].name,
				       options[i].letter);
		} else {
			(void)snprintf(left, sizeof(left), "--%s%s%s", options[i].name,
				       options[i].value ? " " : "",
				       options[i].value ? options[i].value : "");
		}
		(void)fprintf(out, "  %-18s %s\n", left, options[i].help);
	}
	(void)fprintf(out,
		      "\nExit status: 0 done or nothing to do, 1 failed, 2 wrong usage.\n"
		      "The value of the annotation and examples: oci-gpu-hook(8).\n");
	if (fflush(out) != 0 || ferror(out)) {
		return err_sys(err, EIO, "write the help");
	}
	return 0;
}

static int parse_log_level(const char *text, struct cli *cli, struct err *err)
{
	for (size_t i = 0; i < LOG_LEVEL_COUNT; i++) {
		if (text_equals(text, log_level_names[i])) {
			cli->log_level = (enum log_level)i;
			cli->has_log_level = true;
			return 0;
		}
	}
	return err_set(err, EINVAL,
		       "read option '--log-level': '%s' is none of error, warning, info",
		       text);
}

static int parse_pid(const char *text, struct cli *cli, struct err *err)
{
	size_t n_digits = strspn(text, "0123456789");
	long pid = strtol(text, NULL, 10);

	/* Source: Linux include/linux/threads.h, PID_MAX_LIMIT has seven digits. */
	if (n_digits == 0 || n_digits > 7 || text[n_digits] || pid == 0) {
		return err_set(err, EINVAL,
			       "read option '--pid': '%s' is no process id%s", text,
			       text_equals(text, "0")
				       ? "; podman gives 0 for a container that does not "
					 "run"
				       : "");
	}
	cli->pid = (pid_t)pid;
	return 0;
}

/* Other commands and other directories see the same: the ledger is below it, and
   precreate writes it into the container's configuration. */
static int take_host_root(const char *value, struct cli *cli, struct err *err)
{
	static char text[PATH_MAX];
	size_t len = 0;
	int r = 0;

	cli->host_root = value;
	if (value[0] == '/') {
		return 0;
	}
	if (!getcwd(text, sizeof(text))) {
		r = -errno;
	} else {
		len = strlen(text);
		r = snprintf(text + len, sizeof(text) - len, "/%s", value) >=
				    (int)(sizeof(text) - len)
			    ? -ENAMETOOLONG
			    : 0;
	}
	if (r < 0) {
		return err_sys(err, -r, "read option '--host-root': find '%.80s'", value);
	}
	cli->host_root = text;
	return 0;
}

/* What is wrong with an option that a script made of nothing. An empty --gpu is read as
   an empty annotation is. */
static int check_value(enum option_id id, const char *value, struct err *err)
{
	if (!value || *value || id == OPTION_GPU) {
		return 0;
	}
	return err_set(err, EINVAL, "read option '--%s': it is empty; give a %s",
		       options[id].name, options[id].value);
}

static int take_option(enum option_id id, const char *value, struct cli *cli,
		       struct err *err)
{
	switch (id) {
	case OPTION_BUNDLE:
		cli->bundle = value;
		break;
	case OPTION_GPU:
		cli->gpu = value;
		break;
	case OPTION_PID:
		return parse_pid(value, cli, err);
	case OPTION_JSON:
		cli->wants_json = true;
		break;
	case OPTION_HOST_ROOT:
		return take_host_root(value, cli, err);
	case OPTION_ANNOTATION:
		cli->annotation = value;
		break;
	case OPTION_CONFIG:
		cli->config = value;
		break;
	case OPTION_LOG_LEVEL:
		return parse_log_level(value, cli, err);
	case OPTION_HELP:
		cli->wants_help = true;
		break;
	case OPTION_VERSION:
		cli->wants_version = true;
		break;
	case OPTION_COUNT:
		break;
	}
	return 0;
}

/* "did you mean NAME", or where to find the right one. */
struct hint {
	char text[64];
};

static struct hint hint_at(const char *dashes, const char *name)
{
	struct hint hint = {"see --help"};

	if (name) {
		(void)snprintf(hint.text, sizeof(hint.text), "did you mean %s%s", dashes,
			       name);
	}
	return hint;
}

static int refuse_command(const char *word, struct err *err)
{
	const char *meant = NULL;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (text_is_almost(word, commands[i].name)) {
			meant = commands[i].name;
		}
	}
	return err_set(err, EINVAL, "read the command line: unknown command '%s'; %s",
		       word, hint_at("", meant).text);
}

/* @arg: also one with a single dash, which getopt_long() reads as letters. */
static int refuse_option(const char *arg, struct err *err)
{
	const char *start = arg + strspn(arg, "-");
	autofree char *name = xstrndup(start, strcspn(start, "="));
	const char *meant = NULL;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (start == arg + 2 && text_equals(name, options[i].name)) {
			/* One that is known is refused for nothing else. */
			return err_set(
				err, EINVAL,
				"read the command line: --%s takes no value; leave "
				"it out",
				name);
		}
		if (text_is_almost(name, options[i].name)) {
			meant = options[i].name;
		}
	}
	return err_set(err, EINVAL, "read the command line: unknown option '%s'; %s", arg,
		       hint_at("--", meant).text);
}

/* What is no option: the command, and what should not be there. */
struct words {
	const char *word[2];
	size_t n;
};

static void add_word(struct words *words, const char *word)
{
	if (words->n < sizeof(words->word) / sizeof(words->word[0])) {
		words->word[words->n++] = word;
	}
}

/* A value of the annotation, or a bundle, whose option was forgotten. */
static int refuse_word(const char *word, const struct cli *cli, struct err *err)
{
	const char *option = word[0] == '/' || word[0] == '.' ? "bundle" : "gpu";

	if (cli->command->has_request && !cli->gpu && !cli->bundle) {
		return err_set(err, EINVAL,
			       "read the command line: unexpected argument '%s'; did you "
			       "mean --%s %s",
			       word, option, word);
	}
	return err_set(err, EINVAL,
		       "read the command line: unexpected argument '%s'; see --help",
		       word);
}

static int take_command(const struct words *words, struct cli *cli, struct err *err)
{
	const char *word = words->word[0];

	if (!word) {
		/* A runtime that calls the hook without arguments; not
		   a person who tries. */
		if (isatty(STDIN_FILENO)) {
			return err_set(err, EINVAL,
				       "read the command line: no command; see --help");
		}
		cli->command = &commands[0];
		return 0;
	}
	cli->wants_help = text_equals(word, options[OPTION_HELP].name);
	cli->wants_version = text_equals(word, options[OPTION_VERSION].name);
	if (cli->wants_help || cli->wants_version) {
		return 0;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (text_equals(word, commands[i].name)) {
			cli->command = &commands[i];
		}
	}
	if (!cli->command) {
		return refuse_command(word, err);
	}
	return words->n > 1 ? refuse_word(words->word[1], cli, err) : 0;
}

/* The option that @command does not know, or OPTION_COUNT. */
static enum option_id find_foreign_option(const struct command *command,
					  const struct cli *cli)
{
	if (cli->wants_json && !command->has_json) {
		return OPTION_JSON;
	}
	if (command->has_request) {
		return OPTION_COUNT;
	}
	return cli->bundle ? OPTION_BUNDLE
	       : cli->gpu  ? OPTION_GPU
	       : cli->pid  ? OPTION_PID
			   : OPTION_COUNT;
}

/* Who tries the command would wait, and then be told of a time that is over. */
static int check_input(const struct command *command, struct err *err)
{
	if (!command->is_hook || !isatty(STDIN_FILENO)) {
		return 0;
	}
	return err_set(
		err, EINVAL,
		"read standard input: it is a terminal, and a runtime writes there what "
		"%s reads; to look at a bundle, use plan --bundle DIR",
		command->name);
}

/* Options that the command does not know must not be passed over in silence. */
static int check_options(const struct cli *cli, struct err *err)
{
	const struct command *command = cli->command;
	enum option_id foreign = find_foreign_option(command, cli);

	if (foreign < OPTION_COUNT) {
		return err_set(err, EINVAL,
			       "read the command line: %s takes no --%s; see --help",
			       command->name, options[foreign].name);
	}
	if (command->has_request && !cli->bundle == !cli->gpu) {
		return err_set(err, EINVAL,
			       "read the command line: %s takes one of --bundle DIR and "
			       "--gpu VALUE; see --help",
			       command->name);
	}
	return 0;
}

static enum option_id find_option(int found)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (found == FIRST_NUMBER + i || found == options[i].letter) {
			return (enum option_id)i;
		}
	}
	return OPTION_COUNT;
}

/* The last of two would win, and nobody would see that the other one does not count. */
static int note_option(enum option_id id, unsigned int *given, struct err *err)
{
	if (*given & 1U << id) {
		return err_set(
			err, EINVAL,
			"read the command line: --%s is given twice; leave one out",
			options[id].name);
	}
	*given |= 1U << id;
	return 0;
}

static int read_arguments(int argc, char **argv, struct words *words, struct cli *cli,
			  struct err *err)
{
	struct option table[OPTION_COUNT + 1] = {0};
	unsigned int given = 0;
	int found;
	int r;

	for (int i = 0; i < OPTION_COUNT; i++) {
		table[i].name = options[i].name;
		table[i].has_arg = options[i].value ? required_argument : no_argument;
		table[i].val = FIRST_NUMBER + i;
	}
	opterr = 0;
	for (;;) {
		/* Afterwards `optind` is still there if it is read letter by letter. */
		const char *arg = argv[optind];

		found = getopt_long(argc, argv, "-:" LETTERS, table, NULL);
		if (found == -1) {
			break;
		}
		if (found == IS_WORD) {
			add_word(words, optarg);
			continue;
		}
		if (found == ':') {
			return err_set(
				err, EINVAL,
				"read the command line: '%s' needs a value; see --help",
				arg);
		}
		if (found == '?') {
			return refuse_option(arg, err);
		}
		r = note_option(find_option(found), &given, err);
		if (r == 0) {
			r = check_value(find_option(found), optarg, err);
		}
		if (r == 0) {
			r = take_option(find_option(found), optarg, cli, err);
		}
		if (r < 0) {
			return r;
		}
	}
	/* Behind "--". */
	while (optind < argc) {
		add_word(words, argv[optind++]);
	}
	return 0;
}

int cli_parse(int argc, char **argv, struct cli *ret, struct err *err)
{
	struct cli cli = {.host_root = "/", .log_level = LOG_LEVEL_WARNING};
	struct words words = {0};
	int r = read_arguments(argc, argv, &words, &cli, err);

	if (r == 0 && !cli.wants_help && !cli.wants_version) {
		r = take_command(&words, &cli, err);
	}
	if (r == 0 && cli.command) {
		r = check_options(&cli, err);
	}
	if (r == 0 && cli.command) {
		r = check_input(cli.command, err);
	}
	if (r < 0) {
		return r;
	}
	*ret = cli;
	return 0;
}
