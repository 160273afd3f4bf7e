#include "cmd/completion.h"

#include "cmd/base/options.h"
#include "cmd/help_lines.h"
#include "cmd/settings/help.h"
#include "cmd/settings/settings.h"

#include <stdbool.h>
#include <string.h>

/* What may follow an option. */
enum value_kind { VALUE_NONE, VALUE_ANY, VALUE_FILE, VALUE_FOLDER, VALUE_WORDS };

struct value {
    enum value_kind kind;
    const char *words; /* of VALUE_WORDS, with blanks between */
};

struct script {
    FILE *out;
    const char *command;                                                 /* whose table comes */
    void (*write)(const struct script *s, const struct option_def *def); /* for each option */
};

/* Of the commands that take words: what these may be. */
static const struct {
    const char *command;
    struct value value;
} command_words[] = {
    {"export", {VALUE_FILE, NULL}},
    {"import", {VALUE_FILE, NULL}},
    {"acl", {VALUE_WORDS, "check"}},
    {"completion", {VALUE_WORDS, "bash zsh fish"}},
};

/* Likewise of options that are no settings. */
static const struct {
    const char *option;
    const char *words;
} option_words[] = {
    {"color", "auto always never"},
    {"state", "alive suspect dead left"},
};

/* ---- Options ---- */

/* The setting whose flag it is; SETTING_COUNT when it is none. */
static enum setting_id setting_of(const char *name)
{
    char flag[SETTING_NAME_SIZE];
    for (int id = 0; id < SETTING_COUNT; id++) {
        if (strcmp(settings_flag((enum setting_id)id, flag), name) == 0) {
            return (enum setting_id)id;
        }
    }
    return SETTING_COUNT;
}

static struct value value_of(const struct option_def *def)
{
    const enum setting_id id = setting_of(def->name);
    const enum setting_type type = id != SETTING_COUNT ? settings_def(id)->type : TYPE_ANY;
    if (!def->has_value) {
        return (struct value){VALUE_NONE, NULL};
    }
    static const char *const files[] = {"file", "config", "cacert", "cert", "key", "token-file"};
    bool is_file = type == TYPE_PATH;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        is_file = is_file || strcmp(def->name, files[i]) == 0;
    }
    if (is_file) {
        return (struct value){VALUE_FILE, NULL};
    }
    if (type == TYPE_FOLDER) {
        return (struct value){VALUE_FOLDER, NULL};
    }
    for (size_t i = 0; i < sizeof(option_words) / sizeof(option_words[0]); i++) {
        if (strcmp(def->name, option_words[i].option) == 0) {
            return (struct value){VALUE_WORDS, option_words[i].words};
        }
    }
    if (type == TYPE_PROVIDERS) {
        return (struct value){VALUE_WORDS, "port-range dns srv static flux"};
    }
    if (type == TYPE_SWITCH) {
        return (struct value){VALUE_WORDS, "on off"};
    }
    if (type == TYPE_LOG_LEVEL) {
        return (struct value){VALUE_WORDS, "debug info warn error"};
    }
    if (type == TYPE_LOG_FORMAT) {
        return (struct value){VALUE_WORDS, "text json"};
    }
    return (struct value){VALUE_ANY, NULL};
}

/* What it does; NULL for one that is for the program's own use. */
static const char *meaning_of(const char *command, const struct option_def *def,
                              struct help_option *ret)
{
    const enum setting_id id = setting_of(def->name);
    if (help_lines_option(help_command_text(command), def, ret)) {
        return ret->text;
    }
    if (id != SETTING_COUNT && def->name[0] != '=') {
        return settings_def(id)->meaning;
    }
    return NULL;
}

static void write_table(void *arg, const struct option_def *defs, size_t count)
{
    const struct script *s = arg;
    struct help_option help;
    for (size_t i = 0; i < count; i++) {
        if (meaning_of(s->command, &defs[i], &help) != NULL) {
            s->write(s, &defs[i]);
        }
    }
}

/* Has a command tell its options. */
static void list(struct script *s, const struct command *command,
                 void (*write)(const struct script *s, const struct option_def *def))
{
    char name[64];
    char *argv[] = {name, NULL};
    (void)snprintf(name, sizeof(name), "%s", command->name);
    s->command = command->name;
    s->write = write;
    options_listen(write_table, s);
    (void)command->run(1, argv);
    options_listen(NULL, NULL);
}

static bool is_shown(const struct command *command)
{
    return command->name[0] != '-';
}

/* A text between single quotes, up to its first semicolon, as shells show it beside the word. A
 * colon stands for itself where zsh would end a name at it. */
static void write_quoted(FILE *out, const char *text, bool is_zsh)
{
    for (; *text != '\0' && *text != ';'; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", out);
        } else if (*text == ':' && is_zsh) {
            (void)fputs("\\:", out);
        } else {
            (void)fputc(*text, out);
        }
    }
}

static void write_names(FILE *out, const struct command *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_shown(&commands[i])) {
            (void)fprintf(out, " %s", commands[i].name);
        }
    }
}

/* ---- bash ---- */

static void bash_value(FILE *out, const struct value *v)
{
    if (v->kind == VALUE_FILE || v->kind == VALUE_FOLDER) {
        (void)fprintf(out, "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -%c -- \"$2\")",
                      v->kind == VALUE_FILE ? 'f' : 'd');
    } else if (v->kind == VALUE_WORDS) {
        (void)fprintf(out, "mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$2\")", v->words);
    }
}

static void bash_option_value(const struct script *s, const struct option_def *def)
{
    const struct value v = value_of(def);
    if (v.kind == VALUE_NONE) {
        return;
    }
    (void)fprintf(s->out, "    %s:--%s", s->command, def->name);
    if (def->letter != 0) {
        (void)fprintf(s->out, " | %s:-%c", s->command, def->letter);
    }
    (void)fputs(") ", s->out);
    bash_value(s->out, &v);
    (void)fprintf(s->out, "%sreturn ;;\n", v.kind == VALUE_ANY ? "" : "; ");
}

static void bash_option(const struct script *s, const struct option_def *def)
{
    (void)fprintf(s->out, " --%s", def->name);
    if (def->letter != 0) {
        (void)fprintf(s->out, " -%c", def->letter);
    }
}

static void print_bash(struct script *s, const struct command *commands, size_t count)
{
    (void)fputs("# bash completion of repram, made by: repram completion bash\n"
                "_repram()\n"
                "{\n"
                "    local options= previous=$3\n"
                "    COMPREPLY=()\n"
                "    # --option=value is three words here.\n"
                "    [ \"$previous\" != = ] || previous=${COMP_WORDS[COMP_CWORD-2]}\n"
                "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                "        mapfile -t COMPREPLY < <(compgen -W '",
                s->out);
    write_names(s->out, commands, count);
    (void)fputs("' -- \"$2\")\n        return\n    fi\n    case ${COMP_WORDS[1]}:$previous in\n",
                s->out);
    for (size_t i = 0; i < count; i++) {
        if (is_shown(&commands[i])) {
            list(s, &commands[i], bash_option_value);
        }
    }
    (void)fputs("    esac\n    case ${COMP_WORDS[1]} in\n", s->out);
    for (size_t i = 0; i < count; i++) {
        if (is_shown(&commands[i])) {
            (void)fprintf(s->out, "    %s) options='", commands[i].name);
            list(s, &commands[i], bash_option);
            (void)fputs("' ;;\n", s->out);
        }
    }
    (void)fputs("    esac\n"
                "    case ${COMP_WORDS[1]}:$2 in\n"
                "    *:-*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$2\") ;;\n"
                "    help:*) mapfile -t COMPREPLY < <(compgen -W 'settings",
                s->out);
    write_names(s->out, commands, count);
    (void)fputs("' -- \"$2\") ;;\n", s->out);
    for (size_t i = 0; i < sizeof(command_words) / sizeof(command_words[0]); i++) {
        (void)fprintf(s->out, "    %s:*) ", command_words[i].command);
        bash_value(s->out, &command_words[i].value);
        (void)fputs(" ;;\n", s->out);
    }
    (void)fputs("    esac\n}\ncomplete -F _repram repram\n", s->out);
}

/* ---- zsh ---- */

static void zsh_value(FILE *out, const struct value *v)
{
    if (v->kind == VALUE_FILE || v->kind == VALUE_FOLDER) {
        (void)fputs(v->kind == VALUE_FILE ? "_files" : "_files -/", out);
    } else if (v->kind == VALUE_WORDS) {
        (void)fprintf(out, "compadd -- %s", v->words);
    }
}

static void zsh_option_value(const struct script *s, const struct option_def *def)
{
    const struct value v = value_of(def);
    if (v.kind == VALUE_NONE) {
        return;
    }
    (void)fprintf(s->out, "    %s:--%s", s->command, def->name);
    if (def->letter != 0) {
        (void)fprintf(s->out, "|%s:-%c", s->command, def->letter);
    }
    (void)fputs(") ", s->out);
    zsh_value(s->out, &v);
    (void)fprintf(s->out, "%sreturn ;;\n", v.kind == VALUE_ANY ? "" : "; ");
}

static void zsh_option(const struct script *s, const struct option_def *def)
{
    struct help_option help;
    const char *meaning = meaning_of(s->command, def, &help);
    (void)fprintf(s->out, "        '--%s:", def->name);
    write_quoted(s->out, meaning, true);
    (void)fputs("'\n", s->out);
    if (def->letter != 0) {
        (void)fprintf(s->out, "        '-%c:", def->letter);
        write_quoted(s->out, meaning, true);
        (void)fputs("'\n", s->out);
    }
}

static void zsh_commands(FILE *out, const struct command *commands, size_t count)
{
    char summary[HELP_LINES_TEXT_SIZE];
    (void)fputs("    all=(\n", out);
    for (size_t i = 0; i < count; i++) {
        if (is_shown(&commands[i])) {
            (void)fprintf(out, "        '%s:", commands[i].name);
            write_quoted(out,
                         help_lines_summary(help_overview_text(), commands[i].name, summary,
                                            sizeof(summary)),
                         true);
            (void)fputs("'\n", out);
        }
    }
    (void)fputs("    )\n", out);
}

static void print_zsh(struct script *s, const struct command *commands, size_t count)
{
    (void)fputs("#compdef repram\n"
                "# zsh completion of repram, made by: repram completion zsh\n"
                "_repram()\n"
                "{\n"
                "    local -a all options\n"
                "    local previous=$words[CURRENT-1]\n"
                "    if [[ $words[CURRENT] == --*=* ]]; then\n"
                "        previous=${words[CURRENT]%%=*}\n"
                "        compset -P '*='\n"
                "    fi\n",
                s->out);
    zsh_commands(s->out, commands, count);
    (void)fputs("    if (( CURRENT == 2 )); then\n"
                "        _describe command all\n"
                "        return\n"
                "    fi\n"
                "    case $words[2]:$previous in\n",
                s->out);
    for (size_t i = 0; i < count; i++) {
        if (is_shown(&commands[i])) {
            list(s, &commands[i], zsh_option_value);
        }
    }
    (void)fputs("    esac\n    case $words[2] in\n", s->out);
    for (size_t i = 0; i < count; i++) {
        if (is_shown(&commands[i])) {
            (void)fprintf(s->out, "    %s) options=(\n", commands[i].name);
            list(s, &commands[i], zsh_option);
            (void)fputs("        ) ;;\n", s->out);
        }
    }
    (void)fputs("    esac\n"
                "    case $words[2]:$words[CURRENT] in\n"
                "    *:-*) _describe -o option options ;;\n"
                "    help:*) all+=('settings:every setting'); _describe command all ;;\n",
                s->out);
    for (size_t i = 0; i < sizeof(command_words) / sizeof(command_words[0]); i++) {
        (void)fprintf(s->out, "    %s:*) ", command_words[i].command);
        zsh_value(s->out, &command_words[i].value);
        (void)fputs(" ;;\n", s->out);
    }
    (void)fputs("    esac\n}\n"
                "if [[ $funcstack[1] == _repram ]]; then _repram \"$@\"; else compdef _repram "
                "repram; fi\n",
                s->out);
}

/* ---- fish ---- */

static void fish_value(FILE *out, const struct value *v)
{
    if (v->kind == VALUE_FILE || v->kind == VALUE_FOLDER) {
        (void)fputs(" -r -F", out);
    } else if (v->kind == VALUE_WORDS) {
        (void)fprintf(out, " -x -a '%s'", v->words);
    } else if (v->kind == VALUE_ANY) {
        (void)fputs(" -x", out);
    }
}

static void fish_option(const struct script *s, const struct option_def *def)
{
    struct help_option help;
    const struct value v = value_of(def);
    (void)fprintf(s->out, "complete -c repram -n '__fish_seen_subcommand_from %s' -l %s",
                  s->command, def->name);
    if (def->letter != 0) {
        (void)fprintf(s->out, " -s %c", def->letter);
    }
    fish_value(s->out, &v);
    (void)fputs(" -d '", s->out);
    write_quoted(s->out, meaning_of(s->command, def, &help), false);
    (void)fputs("'\n", s->out);
}

static void print_fish(struct script *s, const struct command *commands, size_t count)
{
    char summary[HELP_LINES_TEXT_SIZE];
    (void)fputs("# fish completion of repram, made by: repram completion fish\n"
                "complete -c repram -f\n",
                s->out);
    for (size_t i = 0; i < count; i++) {
        if (!is_shown(&commands[i])) {
            continue;
        }
        (void)fprintf(s->out, "complete -c repram -n __fish_use_subcommand -a %s -d '",
                      commands[i].name);
        write_quoted(
            s->out,
            help_lines_summary(help_overview_text(), commands[i].name, summary, sizeof(summary)),
            false);
        (void)fputs("'\n", s->out);
        list(s, &commands[i], fish_option);
    }
    (void)fputs("complete -c repram -n '__fish_seen_subcommand_from help' -a 'settings", s->out);
    write_names(s->out, commands, count);
    (void)fputs("'\n", s->out);
    for (size_t i = 0; i < sizeof(command_words) / sizeof(command_words[0]); i++) {
        (void)fprintf(s->out, "complete -c repram -n '__fish_seen_subcommand_from %s'",
                      command_words[i].command);
        fish_value(s->out, &command_words[i].value);
        (void)fputc('\n', s->out);
    }
}

enum rc completion_print(FILE *out, const char *shell, const struct command *commands, size_t count)
{
    static const struct {
        const char *name;
        void (*print)(struct script *s, const struct command *commands, size_t count);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    struct script s = {.out = out};
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].print(&s, commands, count);
            return RC_OK;
        }
    }
    return RC_NOT_FOUND;
}
