#include "cmd/settings/settings.h"

#include "cmd/base/log.h"
#include "cmd/base/nearest.h"
#include "cmd/settings/secret.h"
#include "cmd/settings/value.h"
#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "core/base/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct settings_def defs[SETTING_COUNT] = {
#define SETTING_DEF(id, name, aliases, type, min, max, fallback, traits, meaning) \
    [SETTING_##id] = {name, aliases, type, traits, min, max, fallback, meaning},
    SETTINGS(SETTING_DEF)
#undef SETTING_DEF
};

const struct settings_def *settings_def(enum setting_id id)
{
    ASSERT(id < SETTING_COUNT);
    return &defs[id];
}

const char *settings_flag(enum setting_id id, char ret_flag[static SETTING_NAME_SIZE])
{
    static const char prefix[] = "REPRAM_";
    const char *name = defs[id].name;
    size_t len = 0;
    if ((defs[id].traits & (TRAIT_PLATFORM | TRAIT_SECRET)) == 0) {
        if (strncmp(name, prefix, sizeof(prefix) - 1) == 0) {
            name += sizeof(prefix) - 1;
        }
        for (; name[len] != '\0'; len++) {
            const char c = name[len];
            ret_flag[len] = c == '_' ? '-' : (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        }
    }
    ret_flag[len] = '\0';
    return ret_flag;
}

/* ---- What a value may be ---- */

static enum rc parse_number(const struct settings_def *def, const char *text, uint64_t *ret_number)
{
    const size_t len = strlen(text);
    uint64_t number = 0;
    enum rc rc = RC_OK;
    if (def->type == TYPE_SECONDS) {
        rc = parse_duration_s(text, len, &number);
    } else if (def->type == TYPE_TIMEOUT) {
        rc = parse_duration_ms(text, len, &number);
    } else if (def->type == TYPE_SIZE) {
        rc = parse_size(text, len, &number);
    } else {
        rc = parse_u64(text, len, def->max, &number);
    }
    if (rc == RC_OK && (number < def->min || number > def->max)) {
        rc = RC_RANGE;
    }
    *ret_number = number;
    return rc;
}

static enum rc parse_list(const struct settings_def *def, const char *text, uint64_t *ret_number)
{
    struct node_peer peers[NODE_PEERS_MAX];
    struct node_cidr trust[NODE_TRUST_MAX];
    uint32_t count = 0;
    bool is_all = false;
    if (def->type == TYPE_PEERS) {
        return value_peers(text, 0, peers, NODE_PEERS_MAX, &count);
    }
    if (def->type == TYPE_SERVERS) {
        return value_peers(text, DNS_PORT, peers, NODE_DNS_SERVERS_MAX, &count);
    }
    if (def->type == TYPE_TRUST) {
        return value_trust(text, &is_all, trust, NODE_TRUST_MAX, &count);
    }
    uint32_t set = 0;
    const enum rc rc = value_providers(text, &set);
    *ret_number = set;
    return rc;
}

static enum rc parse_word(const struct settings_def *def, const char *text, uint64_t *ret_number)
{
    bool is_on = false;
    enum log_level level = LOG_INFO;
    enum log_format format = LOG_TEXT;
    enum rc rc = RC_OK;
    if (def->type == TYPE_SWITCH) {
        rc = value_bool(text, &is_on);
        *ret_number = is_on;
    } else if (def->type == TYPE_LOG_LEVEL) {
        rc = log_level_parse(text, &level);
        *ret_number = (uint64_t)level;
    } else {
        rc = log_format_parse(text, &format);
        *ret_number = (uint64_t)format;
    }
    return rc;
}

/* Judges one value alone. */
static enum rc parse_value(const struct settings_def *def, const char *text, uint64_t *ret_number)
{
    struct value_url url;
    struct addr addr;
    *ret_number = 0;
    switch (def->type) {
    case TYPE_PORT:
    case TYPE_COUNT:
    case TYPE_SECONDS:
    case TYPE_TIMEOUT:
    case TYPE_SIZE:
        return parse_number(def, text, ret_number);
    case TYPE_SWITCH:
    case TYPE_LOG_LEVEL:
    case TYPE_LOG_FORMAT:
        return parse_word(def, text, ret_number);
    case TYPE_PROVIDERS:
    case TYPE_PEERS:
    case TYPE_SERVERS:
    case TYPE_TRUST:
        return parse_list(def, text, ret_number);
    case TYPE_NAME:
        return value_is_name(text) ? RC_OK : RC_MALFORMED;
    case TYPE_APP:
        return value_is_app(text) ? RC_OK : RC_MALFORMED;
    case TYPE_HOST:
        return value_is_host(text) ? RC_OK : RC_MALFORMED;
    case TYPE_BIND:
        return strcmp(text, "all") == 0 ? RC_OK : addr_parse_ip(text, 0, &addr);
    case TYPE_URL:
        return value_url(text, &url);
    case TYPE_ORIGINS:
        return cors_check(text);
    case TYPE_KEYRING: /* take_secret() judges it */
    case TYPE_PATH:
    case TYPE_FOLDER:
    case TYPE_ANY:
        return RC_OK;
    }
    return RC_MALFORMED;
}

/* ---- Where values come from ---- */

struct load {
    struct settings *settings;
    const struct settings_sources *sources;
};

struct found {
    char name[SETTING_NAME_SIZE + 8]; /* as it was written there */
    const char *value;
    unsigned line; /* of the file */
};

/* Kubernetes injects variables for every service; those of a service called repram, or http, look
 * like settings of ours. */
static bool is_injected(const char *name, const char *value)
{
    const size_t len = strlen(name);
    static const char service_host[] = "_SERVICE_HOST";
    const size_t host_len = sizeof(service_host) - 1;
    if ((len > host_len && strcmp(name + len - host_len, service_host) == 0) ||
        strstr(name, "_SERVICE_PORT") != NULL) {
        return true;
    }
    const char *port = strstr(name, "_PORT");
    if (port == NULL) {
        return false;
    }
    /* NAME_PORT_80_TCP_ADDR, _PORT and _PROTO go with NAME_PORT_80_TCP=tcp://... */
    static const char *const protocols[][2] = {
        {"tcp://", "_TCP_"}, {"udp://", "_UDP_"}, {"sctp://", "_SCTP_"}};
    port += sizeof("_PORT") - 1;
    const size_t digits = *port == '_' ? strspn(port + 1, "0123456789") : 0;
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        const char *scheme = protocols[i][0];
        const char *word = protocols[i][1];
        if (strncmp(value, scheme, strlen(scheme)) == 0 ||
            (digits > 0 && strncmp(port + 1 + digits, word, strlen(word)) == 0)) {
            return true;
        }
    }
    return false;
}

/* The value of `name` in the environment; NULL when it is not set, empty or somebody else's. */
static const char *find_in_environment(char *const *environment, const char *name, size_t len)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=') {
            const char *value = *environment + len + 1;
            char word[SETTING_NAME_SIZE];
            (void)snprintf(word, sizeof(word), "%.*s", (int)len, name);
            return *value == '\0' || is_injected(word, value) ? NULL : value;
        }
    }
    return NULL;
}

static const struct config_line *find_in_file(const struct config_file *file, const char *name,
                                              size_t len)
{
    const struct config_line *found = NULL;
    for (size_t i = 0; file != NULL && i < file->line_count; i++) {
        const struct config_line *line = &file->lines[i];
        if (strlen(line->key) == len && memcmp(line->key, name, len) == 0 && *line->value != '\0') {
            found = line; /* the last one, as in a shell */
        }
    }
    return found;
}

/* The names under which a setting may stand: its own, its aliases, and NAME_FILE for a secret. */
struct names {
    char text[4 * SETTING_NAME_SIZE];
    const char *at;
};

static struct names names_of(const struct settings_def *def)
{
    struct names names = {.at = NULL};
    const bool has_file = (def->traits & TRAIT_SECRET) != 0;
    (void)snprintf(names.text, sizeof(names.text), "%s%s%s%s%s", def->name,
                   def->aliases[0] != '\0' ? "," : "", def->aliases, has_file ? "," : "",
                   has_file ? def->name : "");
    if (has_file) {
        const size_t len = strlen(names.text);
        (void)snprintf(names.text + len, sizeof(names.text) - len, "_FILE");
    }
    return names;
}

static bool names_next(struct names *names, const char **ret_name, size_t *ret_len)
{
    if (names->at == NULL) {
        names->at = names->text;
    } else if (*names->at == '\0') {
        return false;
    }
    *ret_name = names->at;
    *ret_len = strcspn(names->at, ",");
    names->at += *ret_len;
    names->at += *names->at == ',' ? 1 : 0;
    return *ret_len > 0;
}

/* One place, one name. */
static bool find_once(const struct settings_sources *sources, enum setting_origin origin,
                      const char *name, size_t len, struct found *ret_found)
{
    if (origin == ORIGIN_ENVIRONMENT) {
        ret_found->value = find_in_environment(sources->environment, name, len);
        ret_found->line = 0;
    } else {
        const struct config_line *line = find_in_file(sources->file, name, len);
        ret_found->value = line != NULL ? line->value : NULL;
        ret_found->line = line != NULL ? line->number : 0;
    }
    (void)snprintf(ret_found->name, sizeof(ret_found->name), "%.*s", (int)len, name);
    return ret_found->value != NULL;
}

/* Looks in one place under every name; two names that disagree are an error that names both. */
static bool find_named(struct load *load, const struct settings_def *def,
                       enum setting_origin origin, struct found *ret_found)
{
    struct names names = names_of(def);
    const char *name = NULL;
    size_t len = 0;
    bool is_found = false;
    while (names_next(&names, &name, &len)) {
        struct found found;
        if (!find_once(load->sources, origin, name, len, &found)) {
            continue;
        }
        if (!is_found) {
            *ret_found = found;
            is_found = true;
        } else if ((def->traits & TRAIT_SECRET) != 0) {
            report_add(&load->settings->errors, "%s and %s are both set; allowed: one of them",
                       ret_found->name, found.name);
        } else if (strcmp(found.value, ret_found->value) != 0) {
            report_add(&load->settings->errors,
                       "%s=%.128s and %s=%.128s are two names of one setting with different "
                       "values; allowed: one of them",
                       ret_found->name, ret_found->value, found.name, found.value);
        }
    }
    return is_found;
}

static bool find_flag(const struct settings_sources *sources, enum setting_id id,
                      const char **ret_value)
{
    bool is_found = false;
    for (size_t i = 0; i < sources->flag_count; i++) {
        if (sources->flags[i].id == id) {
            *ret_value = sources->flags[i].value;
            is_found = *sources->flags[i].value != '\0';
        }
    }
    return is_found;
}

/* A secret that the launcher has read already. */
static bool find_handed(struct load *load, const struct settings_def *def, struct found *ret_found)
{
    const struct config_line *line =
        (def->traits & TRAIT_SECRET) != 0
            ? find_in_file(load->sources->handed, def->name, strlen(def->name))
            : NULL;
    ret_found->value = line != NULL ? line->value : NULL;
    return line != NULL;
}

static void keep(struct setting *value, const char *text)
{
    free(value->text);
    const size_t len = strlen(text);
    value->text = mem_new(len + 1, 1);
    memcpy(value->text, text, len);
}

/* ---- Taking a value ---- */

/* Says what is wrong with a secret, and keeps it when nothing is. */
static void take_secret(struct load *load, const struct settings_def *def, struct setting *value,
                        const struct found *found)
{
    struct settings *s = load->settings;
    if (strcmp(found->name, def->name) != 0) { /* NAME_FILE */
        char *text = secret_read(def->name, value->from, found->value, load->sources->is_read_again,
                                 &s->errors, &s->warnings);
        if (text != NULL) {
            keep(value, text);
            mem_wipe(text, strlen(text));
            free(text);
        }
        return;
    }
    if (value->origin == ORIGIN_FILE && load->sources->file_name != NULL) {
        secret_warn_of_readers(def->name, load->sources->file_name, &s->warnings);
    }
    if (secret_is_good(def->name, value->from, found->value, strlen(found->value), &s->errors)) {
        keep(value, found->value);
    }
}

static void refuse(struct load *load, enum setting_id id, const char *name, const char *text)
{
    const struct setting *value = &load->settings->values[id];
    char allowed[SETTINGS_ALLOWED_SIZE];
    report_add(&load->settings->errors, "%s=%.256s (%s) is not allowed; allowed: %s", name, text,
               value->from, settings_allowed(id, allowed, sizeof(allowed)));
}

/* Judges the text that was found and keeps it; on refusal the default stays. */
static void take(struct load *load, enum setting_id id, const struct found *found)
{
    const struct settings_def *def = &defs[id];
    struct setting *value = &load->settings->values[id];
    if ((def->traits & TRAIT_SECRET) != 0) {
        take_secret(load, def, value, found);
        return;
    }
    uint64_t number = 0;
    const enum rc rc = parse_value(def, found->value, &number);
    if (rc != RC_OK) {
        refuse(load, id, found->name, found->value);
    } else {
        keep(value, found->value);
        value->number = number;
    }
}

static void load_one(struct load *load, enum setting_id id)
{
    const struct settings_def *def = &defs[id];
    struct setting *value = &load->settings->values[id];
    struct found found = {.value = NULL};
    (void)snprintf(found.name, sizeof(found.name), "%s", def->name);
    keep(value, "");
    value->number = 0;
    value->origin = ORIGIN_DEFAULT;
    (void)snprintf(value->from, sizeof(value->from), "default");
    if (def->fallback[0] != '\0' && def->fallback[0] != '(') {
        keep(value, def->fallback);
        const enum rc rc = parse_value(def, def->fallback, &value->number);
        ASSERT(rc == RC_OK);
    }
    if (find_handed(load, def, &found)) {
        value->origin = ORIGIN_ENVIRONMENT;
        (void)snprintf(value->from, sizeof(value->from), "launcher");
    } else if (find_flag(load->sources, id, &found.value)) {
        char flag[SETTING_NAME_SIZE];
        value->origin = ORIGIN_FLAG;
        (void)snprintf(value->from, sizeof(value->from), "flag --%s", settings_flag(id, flag));
    } else if (find_named(load, def, ORIGIN_ENVIRONMENT, &found)) {
        value->origin = ORIGIN_ENVIRONMENT;
        (void)snprintf(value->from, sizeof(value->from), "environment %s", found.name);
    } else if ((def->traits & TRAIT_PLATFORM) == 0 && find_named(load, def, ORIGIN_FILE, &found)) {
        value->origin = ORIGIN_FILE;
        (void)snprintf(value->from, sizeof(value->from), "file %.100s line %u",
                       load->sources->file_name != NULL ? load->sources->file_name : "",
                       found.line);
    } else {
        return;
    }
    take(load, id, &found);
    if ((def->traits & TRAIT_UNUSED) != 0) {
        report_add(&load->settings->remarks, "%s is a %s", found.name, def->meaning);
    }
}

/* ---- Names that mean nothing ---- */

/* Whether a setting, or the client commands, go by this name; *n gets the nearest of them. */
static bool is_known(const char *name, size_t len, struct nearest *n)
{
    static const struct settings_def of_clients = {
        .name = "REPRAM_SERVER",
        .aliases = "REPRAM_TOKEN,REPRAM_TOKEN_FILE,REPRAM_CACERT,REPRAM_CLIENT_CERT,"
                   "REPRAM_CLIENT_KEY"};
    bool is_one = false;
    *n = nearest_begin(name, len);
    for (int id = 0; id <= SETTING_COUNT; id++) {
        struct names names = names_of(id < SETTING_COUNT ? &defs[id] : &of_clients);
        const char *known = NULL;
        size_t known_len = 0;
        while (names_next(&names, &known, &known_len)) {
            is_one = is_one || (known_len == len && memcmp(known, name, len) == 0);
            nearest_offer(n, known, known_len);
        }
    }
    return is_one;
}

static void find_unknown(struct load *load)
{
    char *const *environment = load->sources->environment;
    char meant[NEAREST_TEXT_SIZE];
    struct nearest n;
    for (; environment != NULL && *environment != NULL; environment++) {
        const size_t len = strcspn(*environment, "=");
        char name[128];
        if (strncmp(*environment, "REPRAM_", 7) != 0 || is_known(*environment, len, &n)) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "%.*s", (int)(len < 100 ? len : 100), *environment);
        if (!is_injected(name, (*environment)[len] == '=' ? *environment + len + 1 : "")) {
            report_add(&load->settings->warnings, "%s (environment) is no setting of repram%s",
                       name, nearest_text(&n, "", meant));
        }
    }
    const struct config_file *file = load->sources->file;
    for (size_t i = 0; file != NULL && i < file->line_count; i++) {
        const struct config_line *line = &file->lines[i];
        if (!is_known(line->key, strlen(line->key), &n)) {
            report_add(&load->settings->warnings, "%.100s (line %u) is no setting of repram%s",
                       line->key, line->number, nearest_text(&n, "", meant));
        }
    }
}

/* ---- Public ---- */

void settings_load(struct settings *s, const struct settings_sources *sources)
{
    struct load load = {.settings = s, .sources = sources};
    memset(s, 0, sizeof(*s));
    for (int id = 0; id < SETTING_COUNT; id++) {
        if (!sources->is_client || (defs[id].traits & TRAIT_CLIENT) != 0) {
            load_one(&load, (enum setting_id)id);
        } else {
            keep(&s->values[id], "");
        }
    }
    if (!sources->is_client) {
        find_unknown(&load);
    }
}

void settings_wipe_secrets(struct settings *s)
{
    for (int id = 0; id < SETTING_COUNT; id++) {
        char *text = s->values[id].text;
        if (text != NULL && (defs[id].traits & TRAIT_SECRET) != 0) {
            mem_wipe(text, strlen(text));
        }
    }
}

void settings_fini(struct settings *s)
{
    settings_wipe_secrets(s);
    for (int id = 0; id < SETTING_COUNT; id++) {
        free(s->values[id].text);
        s->values[id].text = NULL;
    }
}

void settings_set(struct settings *s, enum setting_id id, const char *text, uint64_t number,
                  const char *from)
{
    struct setting *value = &s->values[id];
    keep(value, text);
    value->number = number;
    (void)snprintf(value->from, sizeof(value->from), "%s", from);
}

bool settings_is_set(const struct settings *s, enum setting_id id)
{
    return s->values[id].text[0] != '\0';
}

uint64_t settings_number(const struct settings *s, enum setting_id id)
{
    return s->values[id].number;
}

const char *settings_text(const struct settings *s, enum setting_id id)
{
    return s->values[id].text;
}

const char *settings_shown(const struct settings *s, enum setting_id id)
{
    const bool is_hidden = (defs[id].traits & TRAIT_SECRET) != 0 && settings_is_set(s, id);
    return is_hidden ? "(secret)" : s->values[id].text;
}
