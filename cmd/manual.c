#include "cmd/manual.h"

#include "cmd/base/options.h"
#include "cmd/help_lines.h"
#include "cmd/settings/help.h"
#include "cmd/settings/settings.h"

#include <stdbool.h>
#include <string.h>

static const char EXAMPLES[] = "examples:";

/* ---- Text for troff ---- */

/* Dashes are to be copied, backslashes are no commands, and nor is a dot or a quote that begins a
 * line. */
static void write_text(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (i == 0 && (text[i] == '.' || text[i] == '\'')) {
            (void)fputs("\\&", out);
        }
        if (text[i] == '-') {
            (void)fputs("\\-", out);
        } else if (text[i] == '\\') {
            (void)fputs("\\e", out);
        } else {
            (void)fputc(text[i], out);
        }
    }
}

static void write_line(FILE *out, const char *text, size_t len)
{
    write_text(out, text, len);
    (void)fputc('\n', out);
}

static void write_words(FILE *out, const char *text)
{
    write_line(out, text, strlen(text));
}

static void write_title(FILE *out, const char *name, int section)
{
    (void)fputs(".TH ", out);
    for (; *name != '\0'; name++) {
        (void)fputc(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name, out);
    }
    (void)fprintf(out, " %d \"\" \"repram %s\" \"repram\"\n", section, REPRAM_VERSION);
}

/* ---- A command ---- */

static void write_option(FILE *out, const struct option_def *def, const struct help_option *help)
{
    (void)fputs(".TP\n", out);
    if (def->letter != 0) {
        (void)fprintf(out, "\\fB\\-%c\\fR, ", def->letter);
    }
    (void)fputs("\\fB\\-\\-", out);
    write_text(out, def->name, strlen(def->name));
    (void)fputs("\\fR", out);
    if (help->value[0] != '\0') {
        (void)fputs(" \\fI", out);
        write_text(out, help->value, strlen(help->value));
        (void)fputs("\\fR", out);
    }
    (void)fputc('\n', out);
    write_words(out, help->text);
}

struct page {
    FILE *out;
    const char *text; /* of --help */
    bool has_settings;
    bool is_begun; /* the section */
};

/* Options that the help explains; flags of settings stand in repram.conf(5). */
static void write_table(void *arg, const struct option_def *defs, size_t count)
{
    struct page *p = arg;
    struct help_option help;
    for (size_t i = 0; i < count; i++) {
        if (help_lines_option(p->text, &defs[i], &help)) {
            (void)fputs(p->is_begun ? "" : ".SH OPTIONS\n", p->out);
            p->is_begun = true;
            write_option(p->out, &defs[i], &help);
        }
    }
}

static void write_options(struct page *p, const struct command *command)
{
    static const struct option_def settings = {"SETTING", 0, true};
    char name[64];
    char *argv[] = {name, NULL};
    struct help_option help;
    (void)snprintf(name, sizeof(name), "%s", command->name);
    options_listen(write_table, p);
    (void)command->run(1, argv);
    options_listen(NULL, NULL);
    p->has_settings = help_lines_option(p->text, &settings, &help);
    if (p->has_settings) {
        write_option(p->out, &settings, &help);
    }
}

/* The paragraphs between the usage and the examples, without the options. */
static void write_description(FILE *out, const char *text)
{
    const char *line = NULL;
    size_t len = 0;
    bool is_usage = true, is_apart = false;
    (void)fputs(".SH DESCRIPTION\n", out);
    while (help_lines_next(&text, &line, &len) &&
           strncmp(line, EXAMPLES, sizeof(EXAMPLES) - 1) != 0) {
        if (len == 0) {
            is_apart = !is_usage;
            is_usage = false;
        } else if (!is_usage && !help_lines_is_option(line, len)) {
            (void)fputs(is_apart ? ".PP\n" : "", out);
            is_apart = false;
            write_line(out, line, len);
        }
    }
}

static void write_examples(FILE *out, const char *text)
{
    const char *examples = strstr(text, EXAMPLES);
    const char *line = NULL;
    size_t len = 0;
    if (examples == NULL) {
        return;
    }
    (void)fputs(".SH EXAMPLES\n.nf\n", out);
    (void)help_lines_next(&examples, &line, &len);
    while (help_lines_next(&examples, &line, &len)) {
        const size_t front = strspn(line, " ");
        write_line(out, line + front, len - front);
    }
    (void)fputs(".fi\n", out);
}

static void write_synopsis(FILE *out, const char *text)
{
    static const char usage[] = "usage: ";
    const char *line = NULL;
    size_t len = 0;
    (void)fputs(".SH SYNOPSIS\n.nf\n", out);
    while (help_lines_next(&text, &line, &len) && len > 0) {
        const bool is_first = strncmp(line, usage, sizeof(usage) - 1) == 0;
        const size_t front = is_first ? sizeof(usage) - 1 : strspn(line, " ");
        write_line(out, line + front, len - front);
    }
    (void)fputs(".fi\n", out);
}

static void print_command(FILE *out, const struct command *command)
{
    char name[80], summary[HELP_LINES_TEXT_SIZE];
    struct page p = {.out = out, .text = help_command_text(command->name)};
    (void)snprintf(name, sizeof(name), "repram-%s", command->name);
    write_title(out, name, 1);
    (void)fputs(".SH NAME\n", out);
    write_text(out, name, strlen(name));
    (void)fputs(" \\- ", out);
    write_words(out,
                help_lines_summary(help_overview_text(), command->name, summary, sizeof(summary)));
    write_synopsis(out, p.text);
    write_description(out, p.text);
    write_options(&p, command);
    write_examples(out, p.text);
    (void)fprintf(out, ".SH SEE ALSO\n\\fBrepram\\fR(1)%s\n",
                  p.has_settings ? ", \\fBrepram.conf\\fR(5)" : "");
}

/* ---- repram(1) ---- */

static void print_overview(FILE *out, const struct command *commands, size_t count)
{
    char summary[HELP_LINES_TEXT_SIZE];
    const char *overview = help_overview_text();
    const char *title = strchr(overview, ':');
    const char *codes = strstr(overview, "exit codes: ");
    write_title(out, "repram", 1);
    (void)fputs(".SH NAME\nrepram \\- ", out);
    write_line(out, title + 2, strcspn(title + 2, "\n"));
    (void)fputs(".SH SYNOPSIS\n\\fBrepram\\fR \\fICOMMAND\\fR [options]\n.SH COMMANDS\n", out);
    for (size_t i = 0; i < count; i++) {
        if (commands[i].name[0] != '-') {
            (void)fprintf(out, ".TP\n\\fBrepram\\-%s\\fR(1)\n", commands[i].name);
            write_words(out,
                        help_lines_summary(overview, commands[i].name, summary, sizeof(summary)));
        }
    }
    if (codes != NULL) {
        const char *line = NULL;
        size_t len = 0;
        codes += strcspn(codes, ":") + 2;
        (void)fputs(".SH EXIT STATUS\n", out);
        while (help_lines_next(&codes, &line, &len)) {
            write_line(out, line, len);
        }
    }
    (void)fputs(".SH SEE ALSO\n\\fBrepram.conf\\fR(5)\n", out);
}

/* ---- repram.conf(5) ---- */

static void write_setting(FILE *out, enum setting_id id)
{
    const struct settings_def *def = settings_def(id);
    char flag[SETTING_NAME_SIZE], allowed[SETTINGS_ALLOWED_SIZE];
    settings_flag(id, flag);
    (void)fputs(".TP\n\\fB", out);
    write_text(out, def->name, strlen(def->name));
    (void)fputs("\\fR", out);
    if (def->aliases[0] != '\0') {
        (void)fputs(", also ", out);
        write_text(out, def->aliases, strlen(def->aliases));
    }
    (void)fputc('\n', out);
    write_words(out, def->meaning);
    if ((def->traits & TRAIT_UNUSED) != 0) {
        return;
    }
    (void)fputs(".br\nDefault: ", out);
    write_words(out, def->fallback[0] != '\0' ? def->fallback : "not set");
    (void)fputs(".br\nAllowed: ", out);
    write_words(out, settings_allowed(id, allowed, sizeof(allowed)));
    if (*flag != '\0') {
        (void)fputs(".br\nFlag: \\-\\-", out);
        write_words(out, flag);
    }
}

static void print_settings(FILE *out)
{
    write_title(out, "repram.conf", 5);
    (void)fputs(".SH NAME\nrepram.conf \\- settings of repram nodes\n"
                ".SH SYNOPSIS\n\\fBrepram node \\-\\-config\\fR \\fIFILE\\fR\n"
                ".SH DESCRIPTION\n"
                "The file has a setting a line, as KEY=value. Every setting may stand in the\n"
                "environment under the same name, or be given as a flag. A flag comes before the\n"
                "environment, that before the file, and the file before the default. An empty\n"
                "value counts as not set. A secret, NAME, may stand in a file that NAME_FILE\n"
                "names, and has no flag.\n"
                ".SH SETTINGS\n",
                out);
    for (int id = 0; id < SETTING_COUNT; id++) {
        write_setting(out, (enum setting_id)id);
    }
    (void)fputs(".SH SEE ALSO\n\\fBrepram\\-node\\fR(1), \\fBrepram\\-launch\\fR(1)\n", out);
}

enum rc manual_print(FILE *out, const char *topic, const struct command *commands, size_t count)
{
    if (topic == NULL) {
        print_overview(out, commands, count);
        return RC_OK;
    }
    if (strcmp(topic, "settings") == 0) {
        print_settings(out);
        return RC_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(commands[i].name, topic) == 0 && help_command_text(topic) != NULL) {
            print_command(out, &commands[i]);
            return RC_OK;
        }
    }
    return RC_NOT_FOUND;
}
