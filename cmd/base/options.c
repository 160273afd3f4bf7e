#include "cmd/base/options.h"

#include "cmd/base/nearest.h"

#include <stdio.h>
#include <string.h>

struct options options_begin(int argc, char **argv, const struct option_def *defs, size_t def_count)
{
    return (struct options){
        .argc = argc, .argv = argv, .defs = defs, .def_count = def_count, .at = 1};
}

static int find_name(const struct options *o, const char *name, size_t len)
{
    for (size_t i = 0; i < o->def_count; i++) {
        if (strlen(o->defs[i].name) == len && memcmp(o->defs[i].name, name, len) == 0) {
            return (int)i;
        }
    }
    return OPTIONS_BAD;
}

static int find_letter(const struct options *o, char letter)
{
    for (size_t i = 0; i < o->def_count; i++) {
        if (o->defs[i].letter == letter) {
            return (int)i;
        }
    }
    return OPTIONS_BAD;
}

/* The value is the next word of the line, whatever it looks like. */
static int take_value(struct options *o, int index, const char *as_written, const char **ret_value)
{
    if (o->at >= o->argc) {
        (void)snprintf(o->error, sizeof(o->error), "%.64s needs a value", as_written);
        return OPTIONS_BAD;
    }
    *ret_value = o->argv[o->at++];
    return index;
}

static int next_long(struct options *o, const char *word, const char **ret_value)
{
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    const size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const int index = find_name(o, name, len);
    if (index == OPTIONS_BAD) {
        char meant[NEAREST_TEXT_SIZE];
        struct nearest n = nearest_begin(name, len);
        for (size_t i = 0; i < o->def_count; i++) {
            nearest_offer(&n, o->defs[i].name, strlen(o->defs[i].name));
        }
        (void)snprintf(o->error, sizeof(o->error), "unknown option --%.*s%s",
                       (int)(len < 64 ? len : 64), name, nearest_text(&n, "--", meant));
        return OPTIONS_BAD;
    }
    if (!o->defs[index].has_value) {
        if (equals != NULL) {
            (void)snprintf(o->error, sizeof(o->error), "--%s takes no value", o->defs[index].name);
            return OPTIONS_BAD;
        }
        return index;
    }
    if (equals != NULL) {
        *ret_value = equals + 1;
        return index;
    }
    return take_value(o, index, word, ret_value);
}

static struct {
    void (*table)(void *arg, const struct option_def *defs, size_t count);
    void *arg;
} listener;

void options_listen(void (*table)(void *arg, const struct option_def *defs, size_t count),
                    void *arg)
{
    listener.table = table;
    listener.arg = arg;
}

int options_next(struct options *o, const char **ret_value)
{
    *ret_value = NULL;
    if (listener.table != NULL) {
        listener.table(listener.arg, o->defs, o->def_count);
        return OPTIONS_LISTED;
    }
    if (o->at >= o->argc) {
        return OPTIONS_END;
    }
    const char *word = o->argv[o->at++];
    if (o->is_words_only || word[0] != '-' || word[1] == '\0') {
        *ret_value = word;
        return OPTIONS_WORD;
    }
    if (strcmp(word, "--") == 0) {
        o->is_words_only = true;
        return options_next(o, ret_value);
    }
    if (word[1] == '-') {
        return next_long(o, word, ret_value);
    }
    const int index = word[2] == '\0' ? find_letter(o, word[1]) : OPTIONS_BAD;
    if (index == OPTIONS_BAD) {
        (void)snprintf(o->error, sizeof(o->error), "unknown option %.64s", word);
        return OPTIONS_BAD;
    }
    return o->defs[index].has_value ? take_value(o, index, word, ret_value) : index;
}
