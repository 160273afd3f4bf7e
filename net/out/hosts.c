#include "net/out/hosts.h"

#include "core/base/words.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LINE_SIZE = 1024, LINES_MAX = 65536 }; /* a longer line's rest is taken for a line */

static const char blanks[] = " \t\r\n";

/* "address name alias ...", with a comment perhaps. */
static bool has_name(char *line, const char *name, struct addr *ret_addr)
{
    char *rest = line;
    line[strcspn(line, "#")] = '\0';
    const char *word = words_next(&rest, blanks);
    if (word == NULL || addr_parse_ip(word, 0, ret_addr) != RC_OK) {
        return false;
    }
    while ((word = words_next(&rest, blanks)) != NULL) {
        if (strcasecmp(word, name) == 0) {
            return true;
        }
    }
    return false;
}

void hosts_find(const char *path, const char *name,
                void (*found)(void *arg, const struct addr *addr), void *arg)
{
    char line[LINE_SIZE];
    struct addr addr;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    for (int i = 0; i < LINES_MAX && fgets(line, sizeof(line), file) != NULL; i++) {
        if (has_name(line, name, &addr)) {
            found(arg, &addr);
        }
    }
    (void)fclose(file);
}
