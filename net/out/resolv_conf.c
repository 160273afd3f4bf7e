#include "net/out/resolv_conf.h"

#include "core/base/parse.h"
#include "core/base/words.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, LINES_MAX = 4096, NDOTS_DEFAULT = 1, NDOTS_MAX = 15 };

static const char blanks[] = " \t\r\n";

/* An address, or one with a port behind it: "1.2.3.4:53", "[::1]:53". */
static enum rc parse_server(char *word, struct addr *ret_addr)
{
    uint64_t port = 0;
    if (addr_parse_ip(word, DNS_PORT, ret_addr) == RC_OK) {
        return RC_OK;
    }
    char *colon = strrchr(word, ':');
    if (colon == NULL || parse_u64(colon + 1, strlen(colon + 1), UINT16_MAX, &port) != RC_OK ||
        port == 0) {
        return RC_MALFORMED;
    }
    *colon = '\0';
    return addr_parse_ip(word, (uint16_t)port, ret_addr);
}

static void take_server(struct resolv_conf *r, char *rest)
{
    char *word = words_next(&rest, blanks);
    if (word != NULL && r->server_count < RESOLV_CONF_SERVERS_MAX &&
        parse_server(word, &r->servers[r->server_count]) == RC_OK) {
        r->server_count++;
    }
}

/* The later of two lines `search` or `domain` counts. */
static void take_domains(struct resolv_conf *r, char *rest, uint32_t max)
{
    r->count = 0;
    for (const char *word; r->count < max && (word = words_next(&rest, blanks)) != NULL;) {
        if (strlen(word) < DNS_NAME_SIZE) {
            (void)snprintf(r->domains[r->count++], DNS_NAME_SIZE, "%s", word);
        }
    }
}

static void take_options(struct resolv_conf *r, char *rest)
{
    static const char ndots[] = "ndots:";
    uint64_t number = 0;
    for (const char *word; (word = words_next(&rest, blanks)) != NULL;) {
        if (strncmp(word, ndots, sizeof(ndots) - 1) == 0) {
            word += sizeof(ndots) - 1;
            const bool is_good = parse_u64(word, strlen(word), NDOTS_MAX, &number) == RC_OK;
            r->ndots = is_good ? (uint32_t)number : r->ndots;
        }
    }
}

/* What stands behind the first dot of this host's name, if any. */
static void take_own_domain(struct resolv_conf *r)
{
    char name[DNS_NAME_SIZE] = "";
    if (gethostname(name, sizeof(name) - 1) == 0) {
        const char *dot = strchr(name, '.');
        if (dot != NULL && dot[1] != '\0') {
            (void)snprintf(r->domains[r->count++], DNS_NAME_SIZE, "%s", dot + 1);
        }
    }
}

static void take_line(struct resolv_conf *r, char *line, bool *has_list)
{
    char *rest = line;
    const char *word = words_next(&rest, blanks);
    if (word == NULL) {
        return;
    }
    if (strcmp(word, "nameserver") == 0) {
        take_server(r, rest);
    } else if (strcmp(word, "search") == 0) {
        take_domains(r, rest, SEARCH_DOMAINS_MAX);
        *has_list = true;
    } else if (strcmp(word, "domain") == 0) {
        take_domains(r, rest, 1);
        *has_list = true;
    } else if (strcmp(word, "options") == 0) {
        take_options(r, rest);
    }
}

void resolv_conf_read(struct resolv_conf *r, const char *path)
{
    char line[LINE_SIZE];
    bool has_list = false;
    *r = (struct resolv_conf){.ndots = NDOTS_DEFAULT};
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        for (int i = 0; i < LINES_MAX && fgets(line, sizeof(line), file) != NULL; i++) {
            take_line(r, line, &has_list);
        }
        (void)fclose(file);
    }
    if (!has_list) {
        take_own_domain(r);
    }
    if (r->server_count == 0) {
        r->servers[r->server_count++] = addr_v4((const uint8_t[]){127, 0, 0, 1}, DNS_PORT);
    }
}

static uint32_t count_dots(const char *name)
{
    uint32_t count = 0;
    for (; *name != '\0'; name++) {
        count += *name == '.';
    }
    return count;
}

bool resolv_conf_form(const struct resolv_conf *r, const char *name, uint32_t turn,
                      char ret_form[static DNS_NAME_SIZE])
{
    const size_t len = strlen(name);
    const bool is_absolute = len > 0 && name[len - 1] == '.';
    const size_t own_len = is_absolute ? len - 1 : len;
    const uint32_t count = is_absolute ? 0 : r->count;
    const uint32_t own = is_absolute || count_dots(name) >= r->ndots ? 0 : count;
    if (turn > count) {
        return false;
    }
    const char *domain = turn == own ? NULL : r->domains[turn > own ? turn - 1 : turn];
    if (domain != NULL && strcmp(domain, ".") == 0) {
        domain = NULL; /* the root: the name as it is */
    }
    const int wanted = domain == NULL
                           ? snprintf(ret_form, DNS_NAME_SIZE, "%.*s", (int)own_len, name)
                           : snprintf(ret_form, DNS_NAME_SIZE, "%s.%s", name, domain);
    if (wanted < 0 || wanted >= DNS_NAME_SIZE) {
        ret_form[0] = '\0';
    }
    return true;
}
