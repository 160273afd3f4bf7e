/*
 * options: the words of a command line, one at a time, against a table of what is allowed.
 *
 * Long options as `--name value` or `--name=value`, letters as `-x`, `--` ends the options, a lone
 * `-` is an ordinary word. Options and words may be mixed. Nothing is abbreviated: a script that
 * works today keeps its meaning when an option is added.
 */
#ifndef CMD_BASE_OPTIONS_H
#define CMD_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct option_def {
    const char *name; /* without its dashes */
    char letter;      /* 0 when there is none */
    bool has_value;
};

struct options {
    int argc;
    char **argv; /* borrowed; argv[0] is skipped */
    const struct option_def *defs;
    size_t def_count;
    int at;
    bool is_words_only; /* `--` was seen */
    char error[192];
};

enum { OPTIONS_END = -1, OPTIONS_WORD = -2, OPTIONS_BAD = -3, OPTIONS_LISTED = -4 };

struct options options_begin(int argc, char **argv, const struct option_def *defs,
                             size_t def_count);

/*
 * The index of the next option in the table, with its value (NULL when it takes none); OPTIONS_WORD
 * with the word; OPTIONS_END; or OPTIONS_BAD, and o->error says what is wrong. Values point into
 * argv.
 */
int options_next(struct options *o, const char **ret_value);

/*
 * From now on a command that is run does not read its words: options_next() hands the command's
 * table to `table` and returns OPTIONS_LISTED, with which the command ends. So what lists options,
 * as completion and the manual do, has them from the tables that parse. NULL ends it.
 */
void options_listen(void (*table)(void *arg, const struct option_def *defs, size_t count),
                    void *arg);

#endif
