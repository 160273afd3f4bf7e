#include "net/node_secret.h"

#include "core/base/mem.h"
#include "gossip/sealing/keyring.h"
#include "net/crypto/seal_openssl.h"
#include "net/sys/hostclock.h"

#include <stdio.h>

enum {
    LIST_SIZE = 64,
    NAMES_SHOWN_MAX = 5,
    NAMES_SIZE = NAMES_SHOWN_MAX * (NAME_SIZE + 2) + 32,
};

/* "3fa2, open": the ring as people may read it. */
static const char *list_keys(const struct keyring *ring, char ret_list[static LIST_SIZE])
{
    size_t len = 0;
    for (uint32_t i = 0; i < ring->count; i++) {
        char id[KEYRING_ID_TEXT_SIZE];
        len += (size_t)snprintf(ret_list + len, LIST_SIZE - len, "%s%s", i > 0 ? ", " : "",
                                keyring_id_text(ring->keys[i].id, id));
    }
    return ret_list;
}

/* "n1, n2 and 3 more" */
static const char *list_names(const struct sealing_names *names, char ret_list[static NAMES_SIZE])
{
    size_t len = 0;
    uint32_t shown = 0;
    for (; shown < names->count && shown < NAMES_SHOWN_MAX; shown++) {
        len += (size_t)snprintf(ret_list + len, NAMES_SIZE - len, "%s%s", shown > 0 ? ", " : "",
                                names->names[shown]);
    }
    if (shown < names->count) {
        (void)snprintf(ret_list + len, NAMES_SIZE - len, " and %u more", names->count - shown);
    }
    return ret_list;
}

/* Whom the next step would cut off, and whom this one has. */
static void warn(const struct node_secret *s, const struct engine *engine)
{
    struct sealing_status status;
    char names[NAMES_SIZE];
    engine_sealing(engine, &status);
    if (status.cut_off.count > 0) {
        s->hooks->log(s->hooks->arg, LOG_WARN, "secret",
                      "members that hold none of the keys and are cut off: %s",
                      list_names(&status.cut_off, names));
    }
    if (status.key_count > 1 && status.lacking_first.count > 0) {
        s->hooks->log(s->hooks->arg, LOG_WARN, "secret",
                      "members that do not hold the first key yet, and would be cut off by taking "
                      "the others away: %s",
                      list_names(&status.lacking_first, names));
    }
}

static void tell(const struct node_secret *s, const struct engine *engine)
{
    const struct keyring *ring = engine_keyring(engine);
    char list[LIST_SIZE];
    switch (keyring_state(ring)) {
    case SEALING_OPEN:
        s->hooks->log(s->hooks->arg, LOG_INFO, "secret", "open: traffic between nodes has no key");
        break;
    case SEALING_MIXED:
        s->hooks->log(s->hooks->arg, LOG_WARN, "secret",
                      "mixed: keys %s; while `open` is among them, whoever is on the path can "
                      "choose it",
                      list_keys(ring, list));
        break;
    case SEALING_SEALED:
        s->hooks->log(s->hooks->arg, LOG_INFO, "secret",
                      "sealed: keys %s; the first that both sides hold is used",
                      list_keys(ring, list));
        break;
    }
}

enum rc node_secret_make_engine(struct node_secret *s, const struct node_hooks *hooks,
                                struct engine_config *config, struct engine **ret_engine)
{
    struct keyring_items items = {.count = 0};
    s->hooks = hooks;
    s->crypto = seal_openssl_new();
    if (s->crypto == NULL) {
        return RC_NO_MEMORY;
    }
    const bool has_keys = hooks->keys(hooks->arg, &items);
    config->seal = seal_openssl_ops(s->crypto);
    config->keys = has_keys ? &items : NULL;
    *ret_engine = engine_new(config, hostclock_boot_us());
    config->keys = NULL;
    mem_wipe(&items, sizeof(items));
    if (has_keys) {
        tell(s, *ret_engine);
    }
    return RC_OK;
}

void node_secret_reload(struct node_secret *s, struct engine *engine, uint64_t now_us)
{
    struct keyring_items items = {.count = 0};
    if (!s->hooks->keys(s->hooks->arg, &items)) {
        return;
    }
    const enum rc rc = engine_set_keys(engine, &items, now_us);
    mem_wipe(&items, sizeof(items));
    if (rc == RC_OK) {
        tell(s, engine);
        warn(s, engine);
    } else {
        s->hooks->log(s->hooks->arg, LOG_ERROR, "secret", "the keys stay as they were: %s",
                      rc == RC_EXISTS ? "two of the new ones have one id" : rc_text(rc));
    }
}

void node_secret_fini(struct node_secret *s)
{
    seal_openssl_free(s->crypto);
    s->crypto = NULL;
}
