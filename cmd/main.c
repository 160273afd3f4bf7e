/* repram: The one binary, repram, whose first word says which command it is this time. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/nearest.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "cmd/settings/help.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int version_command(int argc, char **argv);
static int help_main(int argc, char **argv);

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
};

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
    {"version", version_command},
    {"--version", version_command},
    {"help", help_main},
    {"--help", help_main},
    {"-h", help_main},
};

/* Says that there is no such command, and which one may have been meant. */
static void say_unknown(const char *who, const char *word, const char *hint)
{
    char shown[NEAREST_WORD_MAX + 1], meant[NEAREST_TEXT_SIZE];
    struct nearest n = nearest_begin(word, strlen(word));
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        nearest_offer(&n, commands[i].name, strlen(commands[i].name));
    }
    (void)snprintf(shown, sizeof(shown), "%s", word);
    (void)plain_clean(shown, strlen(shown));
    (void)fprintf(stderr, "%s: there is no command '%s'%s%s\n", who, shown,
                  nearest_text(&n, "", meant), hint);
}

static int version_command(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    const bool is_json = strcmp(word, "--json") == 0;
    if (argc > 2 || (*word != '\0' && !is_json && strcmp(word, "--help") != 0)) {
        (void)fputs("repram version: unexpected word; see repram version --help\n", stderr);
        return EXIT_CODE_USAGE;
    }
    if (*word != '\0' && !is_json) {
        return help_command(stdout, "version") == RC_OK ? EXIT_CODE_OK : EXIT_CODE_INTERNAL;
    }
    (void)puts(is_json ? "{\"version\":\"" REPRAM_VERSION "\"}" : "repram " REPRAM_VERSION);
    return EXIT_CODE_OK;
}

static int help_main(int argc, char **argv)
{
    if (argc < 2) {
        help_overview(stdout);
        return EXIT_CODE_OK;
    }
    if (argc > 2) {
        (void)fputs("usage: repram help [COMMAND | settings]\n", stderr);
        return EXIT_CODE_USAGE;
    }
    const char *topic = strcmp(argv[1], "--help") == 0 ? "help" : argv[1];
    if (strcmp(topic, "settings") == 0) {
        help_settings(stdout);
    } else if (help_command(stdout, topic) != RC_OK) {
        say_unknown("repram help", topic, "");
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
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, argv[1]) == 0) {
            return output_end(commands[i].run(argc - 1, argv + 1));
        }
    }
    say_unknown("repram", argv[1], "; see repram help");
    return EXIT_CODE_USAGE;
}
