/* repram: The one binary, repram, whose first word says which command it is this time. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/nearest.h"
#include "cmd/base/options.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "cmd/completion.h"
#include "cmd/manual.h"
#include "cmd/settings/help.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int version_command(int argc, char **argv);
static int help_main(int argc, char **argv);
static int completion_command(int argc, char **argv);

static const struct command commands[] = {
    {"launch", command_launch},
    {"node", command_node},
    {"put", command_put},
    {"get", command_get},
    {"head", command_head},
    {"keys", command_keys},
    {"watch", command_watch},
    {"peers", command_peers},
    {"status", command_status},
    {"health", command_health},
    {"wait", command_wait},
    {"bench", command_bench},
    {"export", command_export},
    {"import", command_import},
    {"keygen", command_keygen},
    {"acl", command_acl},
    {"completion", completion_command},
    {"version", version_command},
    {"--version", version_command},
    {"help", help_main},
    {"--help", help_main},
    {"-h", help_main},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

/* Says that there is no such command, and which one may have been meant. */
static void say_unknown(const char *who, const char *word, const char *hint)
{
    char shown[NEAREST_WORD_MAX + 1], meant[NEAREST_TEXT_SIZE];
    struct nearest n = nearest_begin(word, strlen(word));
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        nearest_offer(&n, commands[i].name, strlen(commands[i].name));
    }
    (void)snprintf(shown, sizeof(shown), "%s", word);
    (void)plain_clean(shown, strlen(shown));
    (void)fprintf(stderr, "%s: there is no command '%s'%s%s\n", who, shown,
                  nearest_text(&n, "", meant), hint);
}

/* ---- Commands about the program itself ---- */

enum { OPTIONS_MAX = 2 };

/* What one of them was told. */
struct words {
    bool is_given[OPTIONS_MAX];
    const char *word; /* NULL when there is none */
};

/* -1 to go on, else the exit code. The first option of each is --help. */
static int read_words(struct words *w, int argc, char **argv, const struct option_def *defs,
                      size_t count)
{
    struct options options = options_begin(argc, argv, defs, count);
    const char *value = NULL;
    *w = (struct words){.word = NULL};
    for (int at; (at = options_next(&options, &value)) != OPTIONS_END;) {
        if (at == OPTIONS_LISTED) {
            return EXIT_CODE_OK;
        }
        if (at == OPTIONS_BAD || (at == OPTIONS_WORD && w->word != NULL)) {
            (void)fprintf(stderr, "repram %s: %s; see repram help %s\n", argv[0],
                          at == OPTIONS_BAD ? options.error : "unexpected word", argv[0]);
            return EXIT_CODE_USAGE;
        }
        if (at == OPTIONS_WORD) {
            w->word = value;
        } else {
            w->is_given[at] = true;
        }
    }
    if (w->is_given[0]) {
        return help_command(stdout, argv[0]) == RC_OK ? EXIT_CODE_OK : EXIT_CODE_INTERNAL;
    }
    return -1;
}

static int version_command(int argc, char **argv)
{
    static const struct option_def defs[] = {{"help", 'h', false}, {"json", 0, false}};
    static char name[] = "version";
    struct words w;
    argv[0] = name; /* it may have been --version */
    const int code = read_words(&w, argc, argv, defs, 2);
    if (code >= 0) {
        return code;
    }
    if (w.word != NULL) {
        (void)fputs("repram version: unexpected word; see repram version --help\n", stderr);
        return EXIT_CODE_USAGE;
    }
    (void)puts(w.is_given[1] ? "{\"version\":\"" REPRAM_VERSION "\"}" : "repram " REPRAM_VERSION);
    return EXIT_CODE_OK;
}

static int help_main(int argc, char **argv)
{
    static const struct option_def defs[] = {{"help", 'h', false}, {"man", 0, false}};
    static char name[] = "help";
    struct words w;
    argv[0] = name;
    const int code = read_words(&w, argc, argv, defs, 2);
    if (code >= 0) {
        return code;
    }
    enum rc rc = RC_OK;
    if (w.is_given[1]) {
        rc = manual_print(stdout, w.word, commands, COMMAND_COUNT);
    } else if (w.word == NULL) {
        help_overview(stdout);
    } else if (strcmp(w.word, "settings") == 0) {
        help_settings(stdout);
    } else {
        rc = help_command(stdout, w.word);
    }
    if (rc != RC_OK) {
        say_unknown("repram help", w.word, "");
    }
    return rc == RC_OK ? EXIT_CODE_OK : EXIT_CODE_USAGE;
}

static int completion_command(int argc, char **argv)
{
    static const struct option_def defs[] = {{"help", 'h', false}};
    struct words w;
    const int code = read_words(&w, argc, argv, defs, 1);
    if (code >= 0) {
        return code;
    }
    if (w.word == NULL || completion_print(stdout, w.word, commands, COMMAND_COUNT) != RC_OK) {
        (void)fputs("repram completion: allowed: bash, zsh, fish; see repram completion --help\n",
                    stderr);
        return EXIT_CODE_USAGE;
    }
    return EXIT_CODE_OK;
}

int main(int argc, char **argv)
{
    /* A closed output must be an error, and not a signal that ends the program in mid-sentence. */
    (void)signal(SIGPIPE, SIG_IGN);
    output_begin();
    if (argc < 2) {
        help_overview(stderr);
        return EXIT_CODE_USAGE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, argv[1]) == 0) {
            return output_end(commands[i].run(argc - 1, argv + 1));
        }
    }
    say_unknown("repram", argv[1], "; see repram help");
    return EXIT_CODE_USAGE;
}
