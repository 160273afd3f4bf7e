#include "net/out/search_list.h"

#include "core/base/parse.h"
#include "core/base/words.h"

#include <stdio.h>
#include <string.h>

enum { LINE_SIZE = 1024, LINES_MAX = 4096, NDOTS_DEFAULT = 1, NDOTS_MAX = 15 };

static const char blanks[] = " \t\r\n";

/* The later of two lines `search` or `domain` counts. */
static void take_domains(struct search_list *l, char *rest, uint32_t max)
{
    l->count = 0;
    for (const char *word; l->count < max && (word = words_next(&rest, blanks)) != NULL;) {
        if (strlen(word) < SEARCH_NAME_SIZE) {
            (void)snprintf(l->domains[l->count++], SEARCH_NAME_SIZE, "%s", word);
        }
    }
}

static void take_options(struct search_list *l, char *rest)
{
    static const char ndots[] = "ndots:";
    uint64_t number = 0;
    for (const char *word; (word = words_next(&rest, blanks)) != NULL;) {
        if (strncmp(word, ndots, sizeof(ndots) - 1) == 0) {
            word += sizeof(ndots) - 1;
            const bool is_good = parse_u64(word, strlen(word), NDOTS_MAX, &number) == RC_OK;
            l->ndots = is_good ? (uint32_t)number : l->ndots;
        }
    }
}

void search_list_read(struct search_list *l, const char *path)
{
    char line[LINE_SIZE];
    *l = (struct search_list){.ndots = NDOTS_DEFAULT};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    for (int i = 0; i < LINES_MAX && fgets(line, sizeof(line), file) != NULL; i++) {
        char *rest = line;
        const char *word = words_next(&rest, blanks);
        if (word == NULL) {
            continue;
        }
        if (strcmp(word, "search") == 0) {
            take_domains(l, rest, SEARCH_DOMAINS_MAX);
        } else if (strcmp(word, "domain") == 0) {
            take_domains(l, rest, 1);
        } else if (strcmp(word, "options") == 0) {
            take_options(l, rest);
        }
    }
    (void)fclose(file);
}

static uint32_t count_dots(const char *name)
{
    uint32_t count = 0;
    for (; *name != '\0'; name++) {
        count += *name == '.';
    }
    return count;
}

bool search_list_form(const struct search_list *l, const char *name, uint32_t turn,
                      char ret_form[static SEARCH_NAME_SIZE])
{
    const size_t len = strlen(name);
    const bool is_absolute = len > 0 && name[len - 1] == '.';
    const size_t own_len = is_absolute ? len - 1 : len;
    const uint32_t count = is_absolute ? 0 : l->count;
    const uint32_t own = is_absolute || count_dots(name) >= l->ndots ? 0 : count;
    if (turn > count) {
        return false;
    }
    const char *domain = turn == own ? NULL : l->domains[turn > own ? turn - 1 : turn];
    const int wanted = domain == NULL
                           ? snprintf(ret_form, SEARCH_NAME_SIZE, "%.*s", (int)own_len, name)
                           : snprintf(ret_form, SEARCH_NAME_SIZE, "%s.%s", name, domain);
    if (wanted < 0 || wanted >= SEARCH_NAME_SIZE) {
        ret_form[0] = '\0';
    }
    return true;
}
