/*
 * clock: the cluster's time on one node, under the rules by which a wrong wall clock does no harm.
 *
 * It is the caller's monotonic clock plus an offset. A node without records steps to the clock of
 * the cluster that it joins. A node with records never steps; it slews by at most CLOCK_SLEW_PPM
 * toward the leader's clock. A sample is Cristian's (Distributed Computing 3, 1989): the remote
 * time plus half the round trip. The sample with the lowest round trip of the last few seconds
 * wins, as in NTP's clock filter (RFC 5905 section 10). Left out: whose clock is followed
 * (gossip/clock_source), and whose is too far off for data to pass (gossip/apart).
 */
#ifndef GOSSIP_CLOCK_H
#define GOSSIP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CLOCK_SLEW_PPM = 500,
    CLOCK_FILTER_US = 8 * 1000 * 1000,    /* a better round trip rules this long */
    CLOCK_CONFLICT_US = 60 * 1000 * 1000, /* more than this apart: founded apart, no data */
    CLOCK_RTT_MAX_US = 1000 * 1000,    /* a slower answer may be wrong by more than half a second */
    CLOCK_FIRST_RTT_US = 100 * 1000,   /* so quick an answer sets a clock that is not set at once */
    CLOCK_FIRST_WAIT_US = 4000 * 1000, /* else the best of what comes in this time does, */
    CLOCK_FIRST_SAMPLES = 8,           /* or of so many */
    CLOCK_STEP_MIN_US = 2000,          /* a node without records does not step for less: it slews */
};

struct clock {
    bool is_set;
    int64_t offset_us;     /* cluster's clock = now_us + offset_us */
    int64_t error_us;      /* last difference to the leader that is still to be slewed away */
    uint64_t slewed_at_us; /* up to when slewing has been accounted */
    uint32_t rtt_us;       /* of the sample that rules; 0 for none */
    uint64_t rtt_at_us;
    int64_t first_offset_us; /* while it is not set: of the best sample so far */
    uint32_t first_rtt_us;   /* and its round trip */
    uint32_t first_count;    /* of samples so far; 0 none */
    uint64_t first_at_us;    /* when the first came */
};

/* Starts the cluster's time from the wall clock: this node founds it. */
void clock_found(struct clock *c, uint64_t wall_us, uint64_t now_us);

/* Microseconds since the Unix epoch on the cluster's clock. Needs is_set. */
uint64_t clock_now_us(const struct clock *c, uint64_t now_us);

/*
 * A sample from the leader: its clock `remote_us` as it arrived at `at_us`, after a round trip of
 * `rtt_us`. Sets a clock that is not set: at once when the answer was quick, else with the best of
 * the first few. An error made here stays: a node that joins has records soon and may lead later,
 * and the errors of leaders add up. Steps when `may_step`; else notes what is to be slewed. True
 * when the clock was set or stepped. Does nothing with a round trip beyond CLOCK_RTT_MAX_US: a
 * question that a broken link held up says little, and an error of seconds takes hours to slew. Nor
 * with a difference of more than CLOCK_CONFLICT_US: that is another clock.
 */
bool clock_sample(struct clock *c, uint64_t remote_us, uint32_t rtt_us, uint64_t at_us,
                  bool may_step);

/* Leaves the clock that it had for another one: only without records. False with a round trip
 * beyond CLOCK_RTT_MAX_US. */
bool clock_jump(struct clock *c, uint64_t remote_us, uint32_t rtt_us, uint64_t at_us);

/* How far it may be from the leader's: the part that is not slewed away yet, and half the round
 * trip of the sample that rules. */
uint32_t clock_error_us(const struct clock *c);

/* Slews for the time that has passed. */
void clock_advance(struct clock *c, uint64_t now_us);

#endif
