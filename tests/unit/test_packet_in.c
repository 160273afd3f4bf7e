/* What packets change that come from somebody whom the node does not know. */
#include "gossip/membership/packet_in.h"

#include "gossip/membership/probe.h"
#include "gossip/wire/packet.h"
#include "held_member.h"

/* A short packet of a node that nobody here has met, from where the member's card says it is. */
static void take_of_stranger(struct cluster *c, struct swim *s, enum packet_kind kind, uint32_t seq)
{
    uint8_t data[DATAGRAM_BYTES_MAX];
    const struct member_card card = card_with(HELD_AT, 1);
    const struct uuid stranger = {{0x77}};
    const struct packet p = {
        .version = PROTOCOL_VERSION_MAX,
        .kind = kind,
        .cluster = swim_cluster_hash("private"),
        .tag = packet_tag(&stranger, swim_cluster_hash("private")),
        .seq = seq,
    };
    struct cursor w = cursor_writer(data, sizeof(data));
    packet_write(&w, &p);
    assert_true(cursor_ok(&w));
    swim_packet(s, &card.addrs[0].addr, NULL, data, w.pos, c->now_us);
}

/* That another node has come to a member's address says a WRONG only which has the number of a ping
 * that is under way there: nobody else knows it. */
static void a_wrong_of_somebody_unknown_counts_with_the_number_of_our_ping(void **state)
{
    (void)state;
    enum { ANOTHER = 1 };
    static const struct {
        uint32_t off; /* from the ping's number */
        bool has_number, is_refused;
    } rows[] = {{0, true, true}, {ANOTHER, true, false}, {0, false, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct node *n = &c->nodes[cluster_start(c)];
        hold(n->swim, ALIVE);
        struct member *m = roster_find(&n->swim->roster, &subject);
        probe_start(n->swim, m);
        const uint64_t refused = n->counters.datagrams_malformed + n->counters.datagrams_stranger;
        take_of_stranger(c, n->swim, PACKET_WRONG,
                         rows[i].has_number ? m->probe->tries[0].seq + rows[i].off : 0);
        assert_int_equal(n->counters.datagrams_malformed + n->counters.datagrams_stranger, refused);
        if (m->probe->is_refused != rows[i].is_refused) {
            fail_msg("row %zu", i);
        }
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_of_somebody_unknown_counts_with_the_number_of_our_ping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
