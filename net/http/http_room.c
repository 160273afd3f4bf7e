#include "net/http/http_room.h"

#include "core/store/blob.h"
#include "core/store/record.h"

#include <sys/ioctl.h>

uint64_t http_room_body_here(const struct http_conn *c)
{
    return http_parse_body_len(c->parse) + http_input_len(&c->input);
}

/* What `len` bytes of its body take. A body that the parser holds itself takes no more than its
 * connection did. */
static uint64_t room_wanted(const struct http_conn *c, uint64_t len)
{
    const uint64_t most = http_parse_body_max(c->parse);
    const bool is_small = len <= VALUE_INLINE_MAX || most <= VALUE_INLINE_MAX;
    return is_small ? 0 : blob_memory_of(len < most ? len : most);
}

/* Whether no other body has waited longer. */
static bool is_its_turn(const struct http_conn *c)
{
    const struct http_conn *next = TAILQ_FIRST(&c->shared->phases[HTTP_PHASE_HELD]);
    return next == NULL || next == c;
}

/* Whether it would take room from the one that has waited longest, which has let enough pass. Those
 * that are under way go on, as what they have is free once they have come. */
static bool has_to_wait(const struct http_conn *c)
{
    const struct http_shared *shared = c->shared;
    const struct http_conn *next = TAILQ_FIRST(&shared->phases[HTTP_PHASE_HELD]);
    return !is_its_turn(c) && c->body_bytes == 0 && shared->passed.id == next->id &&
           shared->passed.bytes >= shared->config.bodies_bytes_max;
}

/*
 * The first body always has room, whatever its size. Otherwise a limit below its size would hold it
 * for ever, or several that have come half would hold each other. Once it has ended, the one that
 * has waited longest is the first. Until then those pass it that fit where it does not, but
 * together they take no more room than there is in all. Then what gets free is left to it: without
 * that bound small bodies that keep coming would never let a large one in.
 */
bool http_room_has(const struct http_conn *c, uint64_t len)
{
    const struct http_shared *shared = c->shared;
    const uint64_t max = shared->config.bodies_bytes_max;
    const uint64_t others = shared->bodies_bytes - c->body_bytes;
    const uint64_t wanted = room_wanted(c, len);
    const bool is_first = shared->first_body == c || (shared->first_body == NULL && is_its_turn(c));
    return wanted <= c->body_bytes || is_first ||
           (others < max && wanted <= max - others && !has_to_wait(c));
}

/* It takes so much before the one that has waited longest. */
static void note_passing(struct http_shared *shared, uint64_t bytes)
{
    const struct http_conn *next = TAILQ_FIRST(&shared->phases[HTTP_PHASE_HELD]);
    shared->passed.bytes = shared->passed.id == next->id ? shared->passed.bytes + bytes : bytes;
    shared->passed.id = next->id;
}

void http_room_take(struct http_conn *c, uint64_t len)
{
    struct http_shared *shared = c->shared;
    const uint64_t wanted = room_wanted(c, len);
    if (wanted <= c->body_bytes) {
        return;
    }
    if (!is_its_turn(c)) {
        note_passing(shared, wanted - c->body_bytes);
    } else if (shared->first_body == NULL) {
        shared->first_body = c;
    }
    shared->bodies_bytes += wanted - c->body_bytes;
    c->body_bytes = wanted;
}

void http_room_give_back(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    if (c->body_bytes > 0 || c->listed == HTTP_PHASE_HELD) {
        shared->bodies_bytes -= c->body_bytes;
        c->body_bytes = 0;
        shared->first_body = shared->first_body == c ? NULL : shared->first_body;
        shared->roomy(shared);
    }
}

/* ---- The slowest ---- */

static uint64_t waited_ms(const struct http_conn *c, uint64_t now_ms)
{
    return now_ms + c->shared->config.request_timeout_ms - c->deadline_ms;
}

/* What waits at the socket of one that is not read. */
static uint64_t unread(const struct http_conn *c)
{
    int bytes = 0;
    const bool is_told = ioctl(c->stream.fd, FIONREAD, &bytes) == 0 && bytes > 0;
    return is_told ? (uint64_t)bytes : 0;
}

/* Bytes a second of its body, of which `came` are here. One of which all has come, or as much as
 * is read at once, is held up by us alone. */
static uint64_t pace_of(const struct http_conn *c, uint64_t came, uint64_t age_ms)
{
    const bool is_ours =
        c->listed == HTTP_PHASE_HELD &&
        (came >= http_parse_body_max(c->parse) || came >= http_room_body_here(c) + HTTP_ROOM_BYTES);
    return is_ours ? UINT64_MAX : came * 1000 / age_ms;
}

static void note_slow(struct http_room_look *look, const struct http_room_slow *slow)
{
    if (look->count == HTTP_ROOM_ENDS_MAX) {
        if (slow->pace >= look->slowest[look->count - 1].pace) {
            return;
        }
        look->count--;
    }
    size_t at = look->count++;
    for (; at > 0 && look->slowest[at - 1].pace > slow->pace; at--) {
        look->slowest[at] = look->slowest[at - 1];
    }
    look->slowest[at] = *slow;
}

/* Looks at one body while another has waited for so long. */
static void look_at(struct http_room_look *look, struct http_conn *c, uint64_t now_ms,
                    uint64_t waits_ms)
{
    const bool is_held = c->listed == HTTP_PHASE_HELD;
    const uint64_t came = http_room_body_here(c) + (is_held ? unread(c) : 0);
    const uint64_t wanted = is_held ? room_wanted(c, came) : 0;
    const uint64_t wants = wanted > c->body_bytes ? wanted - c->body_bytes : 0;
    const uint64_t age_ms = now_ms - c->body_began_ms;
    const uint64_t young_ms = waits_ms < HTTP_ROOM_YOUNG_MS ? HTTP_ROOM_YOUNG_MS - waits_ms : 0;
    look->wanted += wants;
    if (c->body_bytes == 0 ||
        age_ms < (young_ms > HTTP_ROOM_LOOK_MS ? young_ms : HTTP_ROOM_LOOK_MS)) {
        return;
    }
    const struct http_room_slow slow = {
        .conn = c, .pace = pace_of(c, came, age_ms), .wants = wants};
    if (slow.pace < waits_ms * HTTP_ROOM_PACE) {
        note_slow(look, &slow);
    }
}

void http_room_look(struct http_shared *shared, uint64_t now_ms, struct http_room_look *ret_look)
{
    struct http_conn *c = NULL;
    const struct http_conn *first = TAILQ_FIRST(&shared->phases[HTTP_PHASE_HELD]);
    *ret_look = (struct http_room_look){.count = 0};
    if (first == NULL) {
        return;
    }
    const struct http_conn *second = TAILQ_NEXT(first, entry);
    TAILQ_FOREACH(c, &shared->phases[HTTP_PHASE_BODY], entry)
    {
        look_at(ret_look, c, now_ms, waited_ms(first, now_ms));
    }
    TAILQ_FOREACH(c, &shared->phases[HTTP_PHASE_HELD], entry)
    {
        const struct http_conn *other = c == first ? second : first;
        look_at(ret_look, c, now_ms, other == NULL ? 0 : waited_ms(other, now_ms));
    }
}

bool http_room_is_enough(const struct http_shared *shared, const struct http_room_look *look)
{
    const uint64_t max = shared->config.bodies_bytes_max;
    return shared->bodies_bytes <= max && look->wanted <= max - shared->bodies_bytes;
}
