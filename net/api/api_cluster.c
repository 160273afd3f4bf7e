#include "net/api/api_cluster.h"

#include "net/api/api_sealing.h"
#include "net/api/ready.h"
#include "net/api/uri.h"
#include "net/http/json_out.h"

#include <inttypes.h>
#include <stdio.h>

/* Some 400 bytes a member, times MEMBERS_MAX, and names that need escaping. */
enum {
    PAGE_BYTES_MAX = 16 << 20,
    PORT_COUNT = 1 << 16,
    EXPECTING_TEXT_SIZE = 48,
    UNDIALED_TEXT_SIZE = 64
};

static void begin_page(struct http_response *rs, struct json_out *o)
{
    rs->bytes.max = PAGE_BYTES_MAX;
    json_out_init(o, &rs->bytes);
    json_out_begin(o, NULL, '{');
}

static void end_page(struct http_response *rs, int status, struct json_out *o)
{
    json_out_end(o, '}');
    if (!json_out_ok(o)) {
        buf_clear(&rs->bytes);
        http_problem(rs, 500, "internal", "The answer did not fit into memory.");
        return;
    }
    rs->status = status;
    rs->kind = HTTP_BODY_BYTES;
    http_add(rs, "Content-Type", "application/json");
    http_add(rs, "Cache-Control", "no-store");
}

static const struct member *self_of(const struct api_view *v)
{
    const struct member *m = NULL;
    for (uint32_t slot = 0; (m = engine_next_member(v->engine, &slot)) != NULL; slot++) {
        if (m->is_self) {
            break;
        }
    }
    return m;
}

static const char *name_of(const struct member *m)
{
    return m == NULL ? "" : member_name(m);
}

static const char *enclave_of(const struct member *m)
{
    return m == NULL ? "" : member_enclave(m);
}

static void put_uuid(struct json_out *o, const char *name, const struct uuid *uuid)
{
    char text[UUID_TEXT_SIZE];
    json_out_text(o, name, uuid_format(uuid, text));
}

static void put_addr(struct json_out *o, const struct addr *addr, const char *port_name)
{
    char text[ADDR_TEXT_SIZE];
    json_out_text(o, "address", addr->port == 0 ? "" : addr_format_ip(addr, text));
    json_out_u64(o, port_name, addr->port);
}

const char *api_cluster_uptime(uint64_t seconds, char ret_text[static API_UPTIME_TEXT_SIZE])
{
    const uint64_t hours = seconds / 3600;
    const unsigned minutes = (unsigned)(seconds / 60 % 60);
    const unsigned rest = (unsigned)(seconds % 60);
    if (hours > 0) {
        (void)snprintf(ret_text, API_UPTIME_TEXT_SIZE, "%" PRIu64 "h%um%us", hours, minutes, rest);
    } else if (minutes > 0) {
        (void)snprintf(ret_text, API_UPTIME_TEXT_SIZE, "%um%us", minutes, rest);
    } else {
        (void)snprintf(ret_text, API_UPTIME_TEXT_SIZE, "%us", rest);
    }
    return ret_text;
}

static uint64_t uptime_s(const struct api_view *v)
{
    return (v->now_us - v->started_us) / 1000000;
}

static void put_uptime(const struct api_view *v, struct json_out *o)
{
    char text[API_UPTIME_TEXT_SIZE];
    json_out_text(o, "uptime", api_cluster_uptime(uptime_s(v), text));
}

/* ---- Probes ---- */

/* "expecting 2 of 3". */
static void put_expecting(const struct api_view *v, struct json_out *o, const char *word)
{
    char text[EXPECTING_TEXT_SIZE];
    struct engine_status status = {0};
    engine_status(v->engine, v->now_us, &status);
    (void)snprintf(text, sizeof(text), "%s %u of %u", word, status.expected_seen, status.expected);
    json_out_text(o, NULL, text);
}

/* Reasons to look at a node that make none unready. */
static void put_worries(const struct api_view *v, struct json_out *o, uint32_t undialed)
{
    char text[UNDIALED_TEXT_SIZE];
    if (v->figures->alone != NULL) {
        json_out_text(o, NULL, v->figures->alone);
    }
    if (undialed > 0) {
        (void)snprintf(text, sizeof(text), "undialed: %u alive, and no link comes about", undialed);
        json_out_text(o, NULL, text);
    }
}

static void put_reasons(const struct api_view *v, struct json_out *o, uint32_t unready)
{
    for (size_t i = 0; i < READY_COUNT; i++) {
        const struct ready *reason = &READY_REASONS[i];
        if ((unready & reason->reason) == 0) {
            continue;
        }
        if (reason->reason == READY_EXPECTING) {
            put_expecting(v, o, reason->name);
        } else {
            json_out_text(o, NULL, reason->name);
        }
    }
}

void api_cluster_livez(struct http_response *rs)
{
    struct json_out o;
    begin_page(rs, &o);
    json_out_text(&o, "status", "alive"); /* this line runs, so the node lives */
    json_out_begin(&o, "reasons", '[');
    json_out_end(&o, ']');
    end_page(rs, 200, &o);
}

/* `for=writes`, or no such parameter. */
static enum rc read_purpose(struct http_text query, bool *ret_is_for_writes)
{
    static const char writes[] = "writes";
    struct http_text text = {0};
    const size_t count = uri_query(query, "for", &text);
    *ret_is_for_writes = count > 0;
    return count == 0 || (count == 1 && http_text_is(text, writes)) ? RC_OK : RC_MALFORMED;
}

void api_cluster_readyz(const struct api_view *v, const struct http_request *rq,
                        struct http_response *rs)
{
    struct engine_status status = {0};
    bool is_for_writes = false;
    if (read_purpose(rq->query, &is_for_writes) != RC_OK) {
        http_problem(rs, 400, "invalid_request", "for is writes, given once, or left out.");
        return;
    }
    engine_status(v->engine, v->now_us, &status);
    const bool is_ready = ready_against(status.unready, is_for_writes) == 0;
    struct json_out o;
    begin_page(rs, &o);
    json_out_text(&o, "status", is_ready ? "ready" : "not_ready");
    json_out_begin(&o, "reasons", '[');
    put_reasons(v, &o, status.unready);
    json_out_end(&o, ']');
    json_out_u64(&o, "members", status.enclave_members);
    json_out_u64(&o, "alive", status.alive + 1);
    end_page(rs, is_ready ? 200 : 503, &o);
    if (!is_ready) {
        http_add(rs, "Retry-After", "1");
    }
}

void api_cluster_health(const struct api_view *v, struct http_response *rs)
{
    const struct member *self = self_of(v);
    struct engine_status status = {0};
    engine_status(v->engine, v->now_us, &status);
    struct json_out o;
    begin_page(rs, &o);
    json_out_text(&o, "status", "healthy");
    json_out_text(&o, "node_id", name_of(self));
    put_uuid(&o, "uuid", &status.uuid);
    json_out_u64(&o, "port", v->config->port);
    put_uptime(v, &o);
    json_out_text(&o, "domain", v->config->domain);
    json_out_text(&o, "network", v->config->network);
    json_out_text(&o, "enclave", enclave_of(self));
    json_out_bool(&o, "discovery_enabled", true);
    json_out_u64(&o, "active_peers", status.alive);
    end_page(rs, 200, &o);
}

/* ---- Members ---- */

static void put_peer(const struct api_view *v, struct json_out *o, const struct member *m)
{
    const struct addr addr = member_shown_addr(m);
    json_out_begin(o, NULL, '{');
    json_out_text(o, "id", member_name(m));
    put_uuid(o, "uuid", &m->uuid);
    put_addr(o, &addr, "port");
    json_out_text(o, "state", member_state_name(m->state));
    json_out_text(o, "enclave", member_enclave(m));
    json_out_u64(o, "incarnation", m->incarnation);
    json_out_ms(o, "rtt_ms", m->rtt_us);
    json_out_bool(o, "clock_conflict", m->clock == MEMBER_CLOCK_APART);
    json_out_i64(o, "clock_difference_ms", engine_clock_difference_ms(v->engine, m));
    /* A member known only by hearsay was last heard of when its state became known; so was one
     * whose link has ended since it was heard. */
    const bool is_heard = m->heard_us > MEMBER_HEARD_BEFORE;
    json_out_time(o, "last_seen", api_view_ms(v, is_heard ? m->heard_us : m->state_since_us));
    json_out_end(o, '}');
}

/* The node's own port and those of alive members, each once, in order. */
static void put_claimed_ports(const struct api_view *v, struct json_out *o)
{
    uint64_t claimed[PORT_COUNT / 64] = {0};
    claimed[v->config->port / 64] |= UINT64_C(1) << v->config->port % 64;
    const struct member *m = NULL;
    for (uint32_t slot = 0; (m = engine_next_member(v->engine, &slot)) != NULL; slot++) {
        const struct addr addr = member_shown_addr(m);
        if (!m->is_self && m->state == MEMBER_ALIVE && addr.port != 0) {
            claimed[addr.port / 64] |= UINT64_C(1) << addr.port % 64;
        }
    }
    json_out_begin(o, "claimed_ports", '[');
    for (uint32_t port = 0; port < PORT_COUNT; port++) {
        if ((claimed[port / 64] >> port % 64 & 1) != 0) {
            json_out_u64(o, NULL, port);
        }
    }
    json_out_end(o, ']');
}

void api_cluster_peers(const struct api_view *v, struct http_response *rs)
{
    struct json_out o;
    begin_page(rs, &o);
    json_out_begin(&o, "peers", '[');
    const struct member *m = NULL;
    for (uint32_t slot = 0; (m = engine_next_member(v->engine, &slot)) != NULL; slot++) {
        if (!m->is_self && !member_is_replaced(m)) {
            put_peer(v, &o, m);
        }
    }
    json_out_end(&o, ']');
    put_claimed_ports(v, &o);
    json_out_time(&o, "last_updated", engine_clock_ms(v->engine, v->now_us));
    end_page(rs, 200, &o);
}

void api_cluster_topology(const struct api_view *v, struct http_response *rs)
{
    const struct member *self = self_of(v);
    struct json_out o;
    begin_page(rs, &o);
    json_out_text(&o, "node_id", name_of(self));
    json_out_text(&o, "enclave", enclave_of(self));
    json_out_begin(&o, "peers", '[');
    const struct member *m = NULL;
    for (uint32_t slot = 0; (m = engine_next_member(v->engine, &slot)) != NULL; slot++) {
        if (m->is_self || m->state != MEMBER_ALIVE) {
            continue;
        }
        const struct addr addr = member_shown_addr(m);
        json_out_begin(&o, NULL, '{');
        json_out_text(&o, "id", member_name(m));
        put_addr(&o, &addr, "http_port");
        json_out_text(&o, "enclave", member_enclave(m));
        json_out_end(&o, '}');
    }
    json_out_end(&o, ']');
    end_page(rs, 200, &o);
}

/* ---- Status ---- */

static void put_storage(struct json_out *o, const struct store_stats *store)
{
    json_out_begin(o, "storage", '{');
    json_out_u64(o, "keys", store->keys);
    json_out_u64(o, "bytes", store->bytes_used);
    json_out_u64(o, "bytes_max", store->bytes_max);
    json_out_u64(o, "shadows", store->shadows);
    json_out_u64(o, "shadow_bytes", store->shadow_bytes);
    json_out_u64(o, "guards", store->guards);
    json_out_end(o, '}');
}

/* The bounds that clients are held to; so a page offers no time to live that would be clamped. */
static void put_limits(const struct api_view *v, struct json_out *o)
{
    json_out_begin(o, "limits", '{');
    json_out_u64(o, "min_ttl_s", v->config->ttl_min_s);
    json_out_u64(o, "default_ttl_s", v->config->ttl_default_s);
    json_out_u64(o, "max_ttl_s", v->config->ttl_max_s);
    json_out_u64(o, "max_value_size", v->config->value_max);
    json_out_end(o, '}');
}

/* Which rules the node has, to be compared with others'; nothing where all may do everything. */
static void put_access(const struct api_view *v, struct json_out *o)
{
    if (v->config->access == NULL) {
        return;
    }
    const struct access_stats stats = access_stats(v->config->access);
    json_out_begin(o, "access", '{');
    json_out_u64(o, "users", stats.users);
    json_out_u64(o, "rules", stats.rules);
    json_out_hex64(o, "digest", stats.digest);
    json_out_end(o, '}');
}

static void put_membership(struct json_out *o, const struct engine_status *status)
{
    json_out_begin(o, "membership", '{');
    json_out_u64(o, "alive", status->alive);
    json_out_u64(o, "suspect", status->suspect);
    json_out_u64(o, "dead", status->dead);
    json_out_u64(o, "left", status->left);
    json_out_u64(o, "enclave_members", status->enclave_members);
    json_out_u64(o, "quorum", status->quorum);
    json_out_hex64(o, "digest", status->member_digest);
    json_out_end(o, '}');
}

static void put_clock(const struct api_view *v, struct json_out *o,
                      const struct engine_status *status)
{
    json_out_begin(o, "clock", '{');
    json_out_bool(o, "is_set", status->has_clock);
    json_out_time(o, "time", engine_clock_ms(v->engine, v->now_us));
    json_out_i64(o, "offset_ms", status->clock_offset_ms);
    json_out_u64(o, "error_ms", status->clock_error_ms);
    json_out_u64(o, "conflicts", status->clock_conflicts);
    json_out_end(o, '}');
}

static void put_links(const struct api_view *v, struct json_out *o)
{
    struct engine_link_view link = {0};
    char key[KEYRING_ID_TEXT_SIZE];
    json_out_begin(o, "links", '[');
    for (uint32_t slot = 0; engine_next_link(v->engine, &slot, &link); slot++) {
        json_out_begin(o, NULL, '{');
        json_out_text(o, "id", link.name);
        put_uuid(o, "uuid", &link.member);
        put_addr(o, &link.addr, "port");
        json_out_bool(o, "is_dialed", link.is_dialed);
        json_out_text(o, "key", keyring_id_text(link.key_id, key));
        json_out_time(o, "up_since", api_view_ms(v, link.up_since_us));
        json_out_u64(o, "bytes_in", link.bytes_in);
        json_out_u64(o, "bytes_out", link.bytes_out);
        json_out_u64(o, "records_in", link.records_in);
        json_out_u64(o, "records_out", link.records_out);
        json_out_u64(o, "unacked", link.unacked);
        json_out_u64(o, "queued", link.queued);
        json_out_bool(o, "clock_conflict", link.is_clock_conflict);
        json_out_i64(o, "clock_difference_ms", link.clock_difference_ms);
        json_out_u64(o, "max_value_size", link.value_max);
        json_out_u64(o, "min_ttl_s", link.ttl_min_ms / 1000);
        json_out_u64(o, "max_ttl_s", link.ttl_max_ms / 1000);
        json_out_bool(o, "settings_differ", link.is_config_different);
        json_out_end(o, '}');
    }
    json_out_end(o, ']');
}

void api_cluster_status(const struct api_view *v, struct http_response *rs)
{
    const struct member *self = self_of(v);
    struct engine_status status = {0};
    engine_status(v->engine, v->now_us, &status);
    struct json_out o;
    begin_page(rs, &o);
    json_out_text(&o, "version", v->config->version);
    put_uuid(&o, "uuid", &status.uuid);
    json_out_text(&o, "node_id", name_of(self));
    json_out_text(&o, "enclave", enclave_of(self));
    json_out_text(&o, "network", v->config->network);
    json_out_text(&o, "state", ready_state(status.unready));
    json_out_begin(&o, "reasons", '[');
    put_reasons(v, &o, status.unready | (status.has_quorum ? 0 : READY_NO_QUORUM));
    put_worries(v, &o, status.undialed);
    json_out_end(&o, ']');
    put_uptime(v, &o);
    json_out_u64(&o, "uptime_s", uptime_s(v));
    json_out_begin(&o, "memory", '{');
    json_out_u64(&o, "rss", v->figures->process.resident_bytes);
    json_out_end(&o, '}');
    put_storage(&o, &status.store);
    put_limits(v, &o);
    put_membership(&o, &status);
    json_out_begin(&o, "data", '{');
    json_out_hex64(&o, "root_digest", status.root_digest);
    json_out_time(&o, "root_cut", status.root_cut_s * 1000);
    json_out_end(&o, '}');
    put_clock(v, &o, &status);
    put_links(v, &o);
    api_sealing_put(v, &o);
    put_access(v, &o);
    json_out_hex64(&o, "config_digest", v->config->config_digest);
    end_page(rs, 200, &o);
}
