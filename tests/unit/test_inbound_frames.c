/* Every type of frame that a link takes, in one table: whole, cut at every length, grown, and with
 * each kind that it names just within and just past what there is.
 *
 * Past 600 lines, because the table is read together with all that is tried with it. */
#include "gossip/inbound.h"

#include "engine_rig.h"

#include "gossip/repair/session.h"

enum { NOW_US = START_US + SECOND_US, THEIRS = 77, PAYLOAD_MAX = 112 };

/* In what a frame comes. */
enum setting {
    PLAIN, /* a mate's link, on which nothing is under way */
    APART, /* a mate's whose clock is a minute and more from ours: reconciliation is passed over */
    THEY_ASK, /* the peer has begun the session THEIRS, and has said what it is about */
    WE_ASK,   /* we have begun one, and the peer has said what it has */
    IN_VALUE, /* a large value has begun */
    IN_WRITE, /* a write of ours has gone out */
    SETTINGS,
};

static const char *const SETTING_NAMES[SETTINGS] = {
    "plain", "apart", "they ask", "we ask", "value", "write",
};

#define IN(setting) (1U << (setting))
#define ANYWHERE (IN(PLAIN) | IN(APART) | IN(THEY_ASK) | IN(WE_ASK) | IN(IN_VALUE) | IN(IN_WRITE))

/* What becomes of the frame when that byte of it is this. */
struct change {
    uint8_t at, to;
    enum { UNCHANGED, TAKEN, REFUSED } verdict;
};

enum { CHANGES_MAX = 8 };

struct sample {
    uint8_t type;
    bool is_data, is_sync, is_use; /* between mates alone; of reconciliation; wanted of the link */
    uint8_t settings;              /* those in which it is right */
    uint8_t len;
    uint8_t head,
        step; /* shorter by whole steps, down to the head, it is right too; 0: it is not */
    uint8_t payload[PAYLOAD_MAX];
    struct change changes[CHANGES_MAX]; /* where nothing is under way, else in its first setting */
};

#define DATA .is_data = true
#define SYNC .is_data = true, .is_sync = true, .is_use = true

static const struct sample samples[] = {
    /* What it holds is for swim to judge, as if it had come in a datagram. */
    {FRAME_PACKET, .is_use = true, .settings = ANYWHERE, .len = 3, .head = 0, .step = 1},
    {FRAME_ACK, .settings = ANYWHERE, .len = 8},
    {FRAME_NACK, .settings = IN(IN_WRITE), .len = 9, .payload = {[7] = 1, NACK_FULL},
     .changes = {{7, 0, REFUSED},
                 {7, 2, REFUSED},
                 {8, NACK_FULL - 1, REFUSED},
                 {8, NACK_CLOCK, TAKEN},
                 {8, NACK_INVALID, TAKEN},
                 {8, NACK_INVALID + 1, REFUSED}}},
    {FRAME_ROLE, .settings = ANYWHERE, .len = 5},
    /* The clock that this node has. */
    {FRAME_CLOCK, .settings = ANYWHERE, .len = 8,
     .payload = {0, 0x06, 0x47, 0x48, 0x46, 0x2f, 0x82, 0x40}},
    {FRAME_STATE, .settings = ANYWHERE, .len = 1},
    /* Kind, stamp, origin, expiry, a key of one byte and a value of two. */
    {FRAME_RECORD, DATA, .settings = ANYWHERE, .len = 38, .head = 36, .step = 1,
     .payload = {[6] = 1, [9] = 9, [30] = 1, [34] = 1, [35] = 'k', 'v', 'w'},
     .changes = {{0, RECORD_IS_COUNTED | RECORD_IS_FORWARD | RECORD_IS_REPEAT, TAKEN},
                 {0, RECORD_IS_SHADOW, REFUSED}, /* which has no value; nor has a guard */
                 {0, RECORD_IS_GUARD, REFUSED},
                 {0, RECORD_KINDS_ALL + 1, REFUSED},
                 {34, 0, REFUSED}}},
    /* The same with the value's length, 64 KiB, instead of the value. */
    {FRAME_LARGE_BEGIN, DATA, .settings = ANYWHERE & ~IN(IN_VALUE), .len = 40,
     .payload = {[6] = 1, [9] = 9, [30] = 1, [34] = 1, [38] = 1, [39] = 'k'},
     .changes = {{0, RECORD_KINDS_ALL + 1, REFUSED}, {34, 0, REFUSED}, {38, 0, REFUSED}}},
    {FRAME_LARGE_DATA, DATA, .settings = IN(IN_VALUE), .len = 3, .head = 1, .step = 1},
    {FRAME_TREE_HAVE, DATA, .settings = ANYWHERE, .len = 20, .head = 0, .step = TREE_ENTRY_BYTES,
     .payload = {[9] = 1, [19] = 2},
     .changes = {{10, TREE_GONE, TAKEN},
                 {10, TREE_GONE + 1, REFUSED},
                 {11, TREE_COUNT - 1, TAKEN},
                 {11, TREE_COUNT, REFUSED}}},
    {FRAME_TREE_GRAFT, DATA, .settings = ANYWHERE, .len = 20, .head = 0, .step = TREE_ENTRY_BYTES,
     .payload = {[9] = 1, [19] = 2},
     .changes = {{10, TREE_GONE, TAKEN},
                 {10, TREE_GONE + 1, REFUSED},
                 {11, TREE_COUNT - 1, TAKEN},
                 {11, TREE_COUNT, REFUSED}}},
    {FRAME_TREE_PRUNE, DATA, .settings = ANYWHERE, .len = 2, .head = 0, .step = 1,
     .changes = {{1, TREE_COUNT - 1, TAKEN}, {1, TREE_COUNT, REFUSED}}},
    {FRAME_TREE_HELD, DATA, .settings = ANYWHERE, .len = 16},
    /* One origin; kind, origin, stamp, counter, lifetime, a key of one byte, a value of two. */
    {FRAME_RECORDS, SYNC, .settings = ANYWHERE, .len = 27, .head = 17, .step = 10,
     .payload = {1, 9, [19] = 2, 0, 2, 1, 'k', 2, 'v', 'w'},
     .changes = {{0, 0, REFUSED},
                 {17, RECORD_IS_SHADOW, REFUSED},
                 {17, RECORD_IS_GUARD, REFUSED},
                 {18, 1, REFUSED},
                 {22, 0, REFUSED}}},
    {FRAME_SYNC_GROUPS, SYNC, .settings = ANYWHERE, .len = 33, .head = 17, .step = 8,
     .payload = {THEIRS, [20] = 9, [28] = 10}, .changes = {{20, 10, REFUSED}}},
    /* The last of them. Of group 9 the epochs 0 and 2, with a count of two bytes and one of one; of
     * group 10 only that it is to be compared as a whole. */
    {FRAME_SYNC_EPOCHS, SYNC, .settings = ANYWHERE, .len = 39, .head = 2, .step = 24,
     .payload = {THEIRS, 1, [5] = 9, [14] = 5, 1, 2, 3, 4, 0x81, 1, 1, 2, 3, 4, 7, [29] = 10, 1},
     .changes = {{1, 0, TAKEN}, {1, 2, REFUSED}, {30, 2, REFUSED}, {14, 7, REFUSED}}},
    /* 64 cells, a share of all; a list of the group 9, and a stream of the groups 9 and 10. */
    {FRAME_SYNC_SCOPE, SYNC, .settings = ANYWHERE & ~IN(THEY_ASK), .len = 46,
     .payload = {THEIRS, [4] = 64, [7] = 1, [11] = 9, [19] = 1, [21] = 2, [25] = 9, [33] = 1,
                 [37] = 10, [45] = 1},
     .changes = {{4, 0, REFUSED},
                 {5, COLUMN_SHARE_BITS_MAX, TAKEN},
                 {5, COLUMN_SHARE_BITS_MAX + 1, REFUSED},
                 {7, 0, REFUSED},
                 {21, 1, REFUSED},
                 {21, 3, REFUSED},
                 {33, 0, REFUSED},
                 {37, 9, REFUSED}}},
    {FRAME_SYNC_LIST, SYNC, .settings = ANYWHERE, .len = 18, .head = 2, .step = 8,
     .payload = {THEIRS, 0, [9] = 1, [17] = 2}, .changes = {{1, 1, TAKEN}, {1, 2, REFUSED}}},
    /* The first two cells of all, with a count of two bytes and one of one. */
    {FRAME_SYNC_CELLS, SYNC, .settings = ANYWHERE, .len = 37, .head = 10, .step = 14,
     .payload = {THEIRS, [22] = 0x82, 1, [36] = 2}, .changes = {{22, 2, REFUSED}}},
    {FRAME_SYNC_MORE, SYNC, .settings = ANYWHERE, .len = 10, .payload = {THEIRS, [9] = 64}},
    {FRAME_SYNC_WANT, SYNC, .settings = ANYWHERE, .len = 22, .head = 6, .step = 8,
     .payload = {THEIRS, [13] = 1, [21] = 2}},
    {FRAME_SYNC_DONE, SYNC, .settings = ANYWHERE, .len = 5, .payload = {THEIRS}},
    {FRAME_SYNC_ROOT, SYNC, .settings = ANYWHERE, .len = 16},
    {FRAME_JOIN, SYNC, .settings = ANYWHERE, .len = 2, .payload = {0, 1},
     .changes = {{0, 1, REFUSED}, {1, 0, REFUSED}, {1, 255, TAKEN}}},
    {FRAME_JOIN_DONE, SYNC, .settings = ANYWHERE, .len = 10, .payload = {0, 1},
     .changes = {{0, 1, REFUSED}, {1, 0, REFUSED}, {1, 255, TAKEN}}},
};

enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

static const struct sample *sample_of(uint8_t type)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        if (samples[i].type == type) {
            return &samples[i];
        }
    }
    return NULL;
}

/* ---- Settings ---- */

static void say(struct engine *e, uint32_t link, uint8_t type, const void *payload, size_t len)
{
    say_frame(e, link, type, FRAME_CRITICAL, payload, len, NOW_US);
}

static void say_sample(struct engine *e, uint32_t link, uint8_t type, uint8_t session)
{
    const struct sample *s = sample_of(type);
    uint8_t payload[PAYLOAD_MAX];
    memcpy(payload, s->payload, sizeof(payload));
    payload[0] = session;
    say(e, link, type, payload, s->len);
}

/* The number of the session that this node has begun on the link, and whose groups are compared. */
static uint8_t ask(struct engine *e, uint32_t link)
{
    struct link *l = mesh_find(e->mesh, link);
    assert_int_equal(sync_start(e->sync, l, SYNC_CUT_ALL, NOW_US), RC_OK);
    const uint8_t session = l->sync->session;
    say_sample(e, link, FRAME_SYNC_EPOCHS, session);
    assert_true(l->sync->list != NULL && l->sync->stream != NULL);
    return session;
}

/* A link of a new node; *ret_session: by which number the sample is of the session under way. */
static uint32_t make_setting(enum setting setting, struct engine **ret_engine, uint8_t *ret_session)
{
    struct engine *e = make_alone(1);
    struct frame_hello hello = hello_of(2, NOW_US);
    *ret_engine = e;
    *ret_session = THEIRS;
    if (setting == IN_WRITE) {
        return link_with_write(e, NOW_US);
    }
    hello.clock_us += setting == APART ? UINT64_C(120) * SECOND_US : 0;
    const uint32_t link = link_with(e, &hello, NOW_US);
    assert_int_equal(mesh_find(e->mesh, link)->clock.is_conflict, setting == APART);
    if (setting == THEY_ASK) {
        say_sample(e, link, FRAME_SYNC_GROUPS, THEIRS);
        say_sample(e, link, FRAME_SYNC_SCOPE, THEIRS);
        assert_non_null(mesh_find(e->mesh, link)->sync->sink);
    } else if (setting == WE_ASK) {
        *ret_session = ask(e, link);
    } else if (setting == IN_VALUE) {
        say_sample(e, link, FRAME_LARGE_BEGIN, 0);
    }
    assert_true(is_open(e, link));
    return link;
}

/* The link is as before, or it has been ended for what came, which was counted. */
static void expect(const struct engine *e, uint32_t link, bool is_taken, const char *what,
                   const struct sample *s, size_t len)
{
    if (is_open(e, link) != is_taken || e->counters.frames_malformed != !is_taken ||
        close_reason(e, link) != (is_taken ? 0 : CLOSE_MALFORMED)) {
        fail_msg("%s: type %d of %zu bytes is not %s", what, s->type, len,
                 is_taken ? "taken" : "refused");
    }
}

/* What the sample says on a new link of a new node, so long and with that change. */
static void try(enum setting setting, const struct sample *s, size_t len,
                const struct change *change, bool is_taken)
{
    struct engine *e = NULL;
    uint8_t payload[PAYLOAD_MAX];
    uint8_t session = 0;
    const uint32_t link = make_setting(setting, &e, &session);
    memcpy(payload, s->payload, sizeof(payload));
    payload[0] = payload[0] == THEIRS && s->is_sync ? session : payload[0];
    if (change != NULL) {
        payload[change->at] = change->to;
    }
    say(e, link, s->type, payload, len);
    expect(e, link, is_taken, SETTING_NAMES[setting], s, len);
    (void)free_engine((void **)&e);
}

static bool is_whole(const struct sample *s, size_t len)
{
    if (len >= s->len) {
        return len == s->len || s->step == 1;
    }
    return s->step > 0 && len >= s->head && (len - s->head) % s->step == 0;
}

static void a_frame_cut_or_grown_by_a_byte_ends_the_link_and_is_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        for (unsigned setting = 0; setting < SETTINGS; setting++) {
            for (size_t len = 0; (s->settings & IN(setting)) != 0 && len <= s->len + 1U; len++) {
                try((enum setting)setting, s, len, NULL, is_whole(s, len));
            }
        }
    }
}

static enum setting first_setting(const struct sample *s)
{
    unsigned setting = 0;
    while ((s->settings & IN(setting)) == 0) {
        setting++;
    }
    return (enum setting)setting;
}

static void each_kind_is_taken_up_to_the_last_and_refused_past_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        for (size_t j = 0; j < CHANGES_MAX && s->changes[j].verdict != UNCHANGED; j++) {
            const struct change *change = &s->changes[j];
            try(first_setting(s), s, s->len, change, change->verdict == TAKEN);
        }
    }
}

static void a_frame_out_of_place_ends_the_link(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        for (unsigned setting = 0; setting < SETTINGS; setting++) {
            if ((samples[i].settings & IN(setting)) == 0) {
                try((enum setting)setting, &samples[i], samples[i].len, NULL, false);
            }
        }
    }
}

/* ---- How much there may be ---- */

/* The frame comes so many times in one piece, before anything is done about it. */
static void try_many(enum setting setting, uint8_t type, const uint8_t *payload, size_t len,
                     size_t times, bool is_taken)
{
    static uint8_t bytes[1 << 20];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    struct engine *e = NULL;
    uint8_t session = 0;
    const uint32_t link = make_setting(setting, &e, &session);
    for (size_t i = 0; i < times; i++) {
        frame_header_write(&c, (enum frame_type)type, FRAME_CRITICAL, len);
        cursor_put_bytes(&c, payload, len);
    }
    assert_true(cursor_ok(&c));
    engine_link_input(e, link, bytes, c.pos, NOW_US);
    expect(e, link, is_taken, SETTING_NAMES[setting], sample_of(type), len);
    (void)free_engine((void **)&e);
}

static void as_many_joins_wait_on_a_link_as_may_and_no_more(void **state)
{
    (void)state;
    static const uint8_t payload[] = {0, 1};
    for (size_t times = SYNC_JOBS_MAX - 1; times <= SYNC_JOBS_MAX + 1; times++) {
        try_many(PLAIN, FRAME_JOIN, payload, sizeof(payload), times, times <= SYNC_JOBS_MAX);
    }
}

/* The first session that a node begins on a link. */
enum { OURS = 1 };

static void so_are_wishes_for_more_cells(void **state)
{
    (void)state;
    static const uint8_t payload[] = {OURS, [9] = 64};
    for (size_t times = CELLS_SOURCE_WISHES_MAX - 1; times <= CELLS_SOURCE_WISHES_MAX + 1;
         times++) {
        try_many(WE_ASK, FRAME_SYNC_MORE, payload, sizeof(payload), times,
                 times <= CELLS_SOURCE_WISHES_MAX);
    }
}

static void more_cells_than_a_table_has_cannot_be_wished_for_nor_other_slices_than_there_are(
    void **state)
{
    static const struct {
        uint8_t bits;
        uint32_t slice, cells;
        bool is_taken;
    } cases[] = {
        {0, 0, IBLT_CELLS_MAX, true},
        {0, 0, IBLT_CELLS_MAX + 1, false},
        {0, 1, 64, false},
        {3, 7, 64, true},
        {3, 8, 64, false},
        {COLUMN_SLICE_BITS_MAX, (1 << COLUMN_SLICE_BITS_MAX) - 1, 64, true},
        {COLUMN_SLICE_BITS_MAX, 1 << COLUMN_SLICE_BITS_MAX, 64, false},
        {COLUMN_SLICE_BITS_MAX + 1, 0, 64, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t payload[10];
        struct cursor c = cursor_writer(payload, sizeof(payload));
        cursor_put_u8(&c, OURS);
        cursor_put_u8(&c, cases[i].bits);
        cursor_put_u32(&c, cases[i].slice);
        cursor_put_u32(&c, cases[i].cells);
        try_many(WE_ASK, FRAME_SYNC_MORE, payload, sizeof(payload), 1, cases[i].is_taken);
    }
}

static void a_scope_begins_with_as_many_cells_as_may_be_wanted(void **state)
{
    (void)state;
    for (uint32_t cells = CELLS_WANTED_MAX - 1; cells <= CELLS_WANTED_MAX + 1; cells++) {
        uint8_t payload[PAYLOAD_MAX];
        const struct sample *s = sample_of(FRAME_SYNC_SCOPE);
        memcpy(payload, s->payload, s->len);
        struct cursor c = cursor_writer(payload + 1, 4);
        cursor_put_u32(&c, cells);
        try_many(PLAIN, FRAME_SYNC_SCOPE, payload, s->len, 1, cells <= CELLS_WANTED_MAX);
    }
}

static void groups_are_compared_and_scopes_have_rows_up_to_their_most(void **state)
{
    (void)state;
    for (uint32_t count = SCOPE_ROWS_MAX - 1; count <= SCOPE_ROWS_MAX + 1; count++) {
        static uint8_t payload[16384];
        struct cursor c = cursor_writer(payload, sizeof(payload));
        cursor_put_u8(&c, THEIRS);
        cursor_put_u64(&c, SYNC_CUT_ALL);
        cursor_put_u64(&c, 9);
        for (uint32_t group = 0; group < count; group++) {
            cursor_put_u32(&c, group);
            cursor_put_u32(&c, 0);
        }
        try_many(PLAIN, FRAME_SYNC_GROUPS, payload, c.pos, 1, count <= SCOPE_ROWS_MAX);
        c = cursor_writer(payload, sizeof(payload));
        cursor_put_u8(&c, THEIRS);
        cursor_put_u32(&c, 64);
        cursor_put_u8(&c, 0);
        cursor_put_u16(&c, (uint16_t)count);
        for (uint32_t group = 0; group < count; group++) {
            cursor_put_u32(&c, group);
            cursor_put_u64(&c, 1);
        }
        cursor_put_u16(&c, 0);
        try_many(PLAIN, FRAME_SYNC_SCOPE, payload, c.pos, 1, count <= SCOPE_ROWS_MAX);
    }
}

/* ---- What holds for the types ---- */

static void each_type_that_is_known_has_a_sample(void **state)
{
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(2, NOW_US);
    const uint32_t link = link_with(e, &hello, NOW_US);
    uint64_t unknown = 0;
    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        const bool is_first = type == FRAME_HELLO || type == FRAME_CLOSE;
        if (!is_first && sample_of((uint8_t)type) == NULL) {
            say_frame(e, link, (uint8_t)type, 0, NULL, 0, NOW_US);
            assert_int_equal(e->counters.frames_unknown, ++unknown);
        }
    }
}

/* What a later version may say behind them. */
static void hello_and_close_let_later_bytes_pass(void **state)
{
    uint8_t payload[512] = {CLOSE_IDLE};
    const struct addr from = {.port = 9};
    struct frame_hello hello = hello_of(2, NOW_US);
    struct engine *e = *state;
    uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
    say(e, link, FRAME_CLOSE, payload, 9);
    assert_null(mesh_find(e->mesh, link));
    struct cursor c = cursor_writer(payload, sizeof(payload));
    link = engine_link_accept(e, &from, 0, NOW_US);
    hello.token = hello_token(e, mesh_find(e->mesh, link));
    frame_hello_write(&c, &hello);
    say(e, link, FRAME_HELLO, payload, c.pos + 9);
    assert_true(is_open(e, link));
    assert_int_equal(e->counters.frames_malformed, 0);
    say(e, link, FRAME_CLOSE, NULL, 0);
    assert_int_equal(e->counters.frames_malformed, 1);
}

static bool is_plain(const struct sample *s)
{
    return (s->settings & IN(PLAIN)) != 0;
}

static void data_of_a_member_of_another_enclave_end_its_link(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct frame_hello hello = hello_of(2, NOW_US);
        struct engine *e = make_alone(1);
        memcpy(hello.card.enclave, "others", sizeof("others"));
        const uint32_t link = link_with(e, &hello, NOW_US);
        assert_true(is_open(e, link));
        say(e, link, s->type, s->payload, s->len);
        expect(e, link, !s->is_data && is_plain(s), "another enclave", s, s->len);
        (void)free_engine((void **)&e);
    }
}

static void reconciliation_is_not_looked_at_while_the_clocks_are_in_conflict(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct frame_hello hello = hello_of(2, NOW_US);
        struct engine *e = make_alone(1);
        hello.clock_us += UINT64_C(120) * SECOND_US;
        const uint32_t link = link_with(e, &hello, NOW_US);
        const struct link *l = mesh_find(e->mesh, link);
        assert_true(l->clock.is_conflict);
        say_frame(e, link, s->type, FRAME_CRITICAL, s->payload, s->len, NOW_US + 2000);
        expect(e, link, is_plain(s), "apart", s, s->len);
        assert_true(!s->is_sync || l->used_us != NOW_US + 2000);
        (void)free_engine((void **)&e);
    }
}

static void what_was_wanted_of_a_link_keeps_it_in_use(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct engine *e = make_alone(1);
        const struct frame_hello hello = hello_of(2, NOW_US);
        const uint32_t link = link_with(e, &hello, NOW_US);
        engine_tick(e, NOW_US + 1000);
        const uint64_t before_us = mesh_find(e->mesh, link)->used_us;
        assert_true(before_us <= NOW_US + 1000);
        say_frame(e, link, s->type, FRAME_CRITICAL, s->payload, s->len, NOW_US + 2000);
        if (is_plain(s)) {
            const struct link *l = mesh_find(e->mesh, link);
            if ((l->used_us == NOW_US + 2000) != s->is_use) {
                fail_msg("type %d %s as use", s->type, s->is_use ? "does not count" : "counts");
            }
        }
        (void)free_engine((void **)&e);
    }
}

/* ---- Before HELLO, and what no version knows ---- */

static void nothing_is_taken_before_hello(void **state)
{
    const struct addr from = {.port = 9};
    struct engine *e = *state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
        say(e, link, samples[i].type, samples[i].payload, samples[i].len);
        assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
        assert_int_equal(e->counters.frames_malformed, i + 1);
    }
    /* Not even what may be skipped later. */
    const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
    say_frame(e, link, 200, 0, NULL, 0, NOW_US);
    assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
    assert_int_equal(e->counters.frames_unknown, 0);
}

static void a_close_before_hello_is_no_fault(void **state)
{
    const struct addr from = {.port = 9};
    const uint8_t reason = CLOSE_IDLE;
    struct engine *e = *state;
    const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
    say(e, link, FRAME_CLOSE, &reason, 1);
    assert_null(mesh_find(e->mesh, link));
    assert_int_equal(e->counters.frames_malformed, 0);
}

static void an_unknown_type_is_skipped_and_counted_unless_it_is_critical(void **state)
{
    static const uint8_t types[] = {0, 12, 15, 28, 31, 36, 255};
    struct engine *e = *state;
    for (size_t i = 0; i < sizeof(types); i++) {
        const struct frame_hello hello = hello_of((uint8_t)(i + 2), NOW_US);
        const uint32_t link = link_with(e, &hello, NOW_US);
        const uint64_t unknown = e->counters.frames_unknown;
        say_frame(e, link, types[i], 0, "abc", 3, NOW_US);
        assert_true(is_open(e, link));
        assert_int_equal(e->counters.frames_unknown, unknown + 1);
        say(e, link, types[i], "abc", 3);
        assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
        assert_int_equal(e->counters.frames_unknown, unknown + 1);
        assert_int_equal(e->counters.frames_malformed, i + 1);
    }
}

static void a_hello_cut_at_any_length_ends_the_link_and_is_counted(void **state)
{
    static const uint8_t ip[] = {10, 0, 0, 9};
    const struct addr from = {.port = 9};
    uint8_t payload[512];
    struct engine *e = *state;
    struct frame_hello hello = hello_of(2, NOW_US);
    hello.card.addr_count = 1;
    hello.card.addrs[0] = (struct member_addr){SCOPE_GLOBAL, addr_v4(ip, 80)};
    struct cursor c = cursor_writer(payload, sizeof(payload));
    frame_hello_write(&c, &hello);
    for (size_t len = 0; len < c.pos; len++) {
        const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
        say(e, link, FRAME_HELLO, payload, len);
        assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
        assert_int_equal(e->counters.frames_malformed, len + 1);
    }
    const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
    hello.token = hello_token(e, mesh_find(e->mesh, link));
    c = cursor_writer(payload, sizeof(payload));
    frame_hello_write(&c, &hello);
    say(e, link, FRAME_HELLO, payload, c.pos);
    assert_true(is_open(e, link));
    /* Nor is it said twice. */
    say(e, link, FRAME_HELLO, payload, c.pos);
    assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
}

static int set_up(void **state)
{
    *state = make_alone(1);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, free_engine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_cut_or_grown_by_a_byte_ends_the_link_and_is_counted),
        cmocka_unit_test(each_kind_is_taken_up_to_the_last_and_refused_past_it),
        cmocka_unit_test(a_frame_out_of_place_ends_the_link),
        cmocka_unit_test(as_many_joins_wait_on_a_link_as_may_and_no_more),
        cmocka_unit_test(so_are_wishes_for_more_cells),
        cmocka_unit_test(
            more_cells_than_a_table_has_cannot_be_wished_for_nor_other_slices_than_there_are),
        cmocka_unit_test(a_scope_begins_with_as_many_cells_as_may_be_wanted),
        cmocka_unit_test(groups_are_compared_and_scopes_have_rows_up_to_their_most),
        TEST(each_type_that_is_known_has_a_sample),
        TEST(hello_and_close_let_later_bytes_pass),
        cmocka_unit_test(data_of_a_member_of_another_enclave_end_its_link),
        cmocka_unit_test(reconciliation_is_not_looked_at_while_the_clocks_are_in_conflict),
        cmocka_unit_test(what_was_wanted_of_a_link_keeps_it_in_use),
        TEST(a_hello_cut_at_any_length_ends_the_link_and_is_counted),
        TEST(nothing_is_taken_before_hello),
        TEST(a_close_before_hello_is_no_fault),
        TEST(an_unknown_type_is_skipped_and_counted_unless_it_is_critical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
