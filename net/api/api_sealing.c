#include "net/api/api_sealing.h"

static void put_list(struct json_out *o, const char *list, const struct sealing_names *names)
{
    json_out_begin(o, list, '[');
    for (uint32_t i = 0; i < names->count && i < SEALING_NAMES_MAX; i++) {
        json_out_text(o, NULL, names->names[i]);
    }
    json_out_end(o, ']');
}

static void put_names(struct json_out *o, const char *list, const char *count,
                      const struct sealing_names *names)
{
    put_list(o, list, names);
    json_out_u64(o, count, names->count);
}

/* The first of the ring is what is sent under wherever a member holds it. */
static void put_key(const struct api_view *v, struct json_out *o,
                    const struct sealing_key_status *key, bool is_first)
{
    char id[KEYRING_ID_TEXT_SIZE];
    json_out_begin(o, NULL, '{');
    json_out_text(o, "id", keyring_id_text(key->id, id));
    json_out_text(o, "use", is_first ? "first" : "other");
    json_out_u64(o, "members_holding", key->members_holding);
    json_out_u64(o, "members_sending", key->members_sending);
    put_list(o, "lacking", &key->lacking);
    put_list(o, "senders", &key->senders);
    json_out_u64(o, "packets_sent", key->sent);
    json_out_u64(o, "packets_received", key->received);
    if (key->used_us != 0) {
        json_out_time(o, "last_used", api_view_ms(v, key->used_us));
    }
    json_out_end(o, '}');
}

void api_sealing_put(const struct api_view *v, struct json_out *o)
{
    struct sealing_status s;
    engine_sealing(v->engine, &s);
    json_out_begin(o, "sealing", '{');
    json_out_text(o, "state", keyring_state_name(s.state));
    json_out_begin(o, "keys", '[');
    for (uint32_t i = 0; i < s.key_count; i++) {
        put_key(v, o, &s.keys[i], i == 0);
    }
    json_out_end(o, ']');
    put_names(o, "lacking_first", "lacking_first_count", &s.lacking_first);
    put_names(o, "cut_off", "cut_off_count", &s.cut_off);
    put_names(o, "with_others", "with_others_count", &s.with_others);
    json_out_end(o, '}');
}
