/*
 * probe: one question to a member, from its first ping to an answer or to silence.
 *
 * A probe is open until its verdict: pings paced by the measured round trip, then the peer link,
 * then a few others who ping on our behalf. Any answer closes it. What its failure means is
 * detector's; here nobody is declared anything.
 */
#ifndef GOSSIP_MEMBERSHIP_PROBE_H
#define GOSSIP_MEMBERSHIP_PROBE_H

#include "gossip/membership/swim_state.h"

/* Lifeguard's S: beyond 9 times the time-outs a node is as good as deaf. */
enum { HEALTH_MAX = 8 };

/* Among so many members each asks a suspect itself; among more, too many would at once. Likewise
 * new ones are asked at once while fewer have answered. More than any replication factor. */
enum { PROBE_ASKED_BY_ALL_MAX = 64 };

/* Whether the living are so many that not each can ask each suspect. */
bool probe_is_among_many(const struct swim *s);

/* What the detector keeps of a member, made when it is needed. It goes away by itself some time
 * after everything is over; m->probe is NULL then. */
struct swim_probe_state *probe_state(struct swim *s, struct member *m);
void probe_forget(struct swim *s, struct member *m);

/* Begins a suspicion of the member, or begins it anew, without an accuser. Its windows are
 * stretched for this node's ill health, and for a member that only a link reaches, whose silence
 * means less. */
void probe_suspicion_start(struct swim *s, struct member *m);

/* The loop was away for `late_us`: silence of that time is not the others' fault. */
void probe_stalled(struct swim *s, uint64_t late_us);

/* Opens a probe, or the open one anew: its first ping goes out. `is_verify`: it verifies a
 * suspicion. */
void probe_open(struct swim *s, struct member *m, bool is_verify);

/* The open probe's next ping. */
void probe_try_again(struct swim *s, struct member *m);

/* Frees states that nobody has needed for a while. */
void probe_release_idle(struct swim *s);

/* Opens a probe at once; hastens the one that is open. */
void probe_start(struct swim *s, struct member *m);

/* `by` is said to accuse the member, which this node has in sight. A probe begins, and once its
 * first ping has been in vain the accusation counts. True where an open probe has seen as much
 * already: then the caller makes it count. */
bool probe_accused(struct swim *s, struct member *m, const struct uuid *by);

/* Asks a member that is new, or back: soon, as only so many are asked at once. One that is gone
 * hears so.
 */
void probe_ask(struct swim *s, struct member *m);

/* Others say that the member is dead or has left: this node's own probe decides, the open one or
 * one more. Silence alone only makes a suspect of a member that was none. */
void probe_judge(struct swim *s, struct member *m, enum member_state said);

/* A ping outside of probes, by datagram or else by link. */
void probe_ping(struct swim *s, struct member *m);

/* The same, with what is held about the member. It goes by datagram, and by link when there is
 * one. */
void probe_tell(struct swim *s, struct member *m);

/* A direct word from the member: `from` for a datagram, NULL for its link. Where nobody else can
 * have said it, it answers any open probe, except that of a member that is only named. */
void probe_heard(struct swim *s, struct member *m, const struct addr *from, bool is_sure);

/* An ack of a ping to the member, or its wish for a cookie, before probe_heard(). Returns the round
 * trip in microseconds, by datagram or by link; 0 when it answers no ping that is remembered, or
 * one that a datagram has acked. By datagram the member has proved that it receives where it was
 * asked. */
uint32_t probe_acked(struct swim *s, struct member *m, uint32_t seq, bool is_datagram, bool is_ack);

/* The member answered the ping `seq` by a cookie: the ping is sent again with it, once. The cookie
 * is kept for other packets to the member; with `seq` 0 that is all. */
void probe_cookie(struct swim *s, struct member *m, uint32_t seq, uint64_t cookie);

/* The member is alive: closes its probe, and a suspicion of it runs anew. */
void probe_answered(struct swim *s, struct member *m);

/* The open probe is over, whatever it showed; the timer is the caller's to set. */
void probe_close(struct member *m);

/* The open probe tries the link, if there is one and it has not been tried. */
void probe_ask_link(struct swim *s, struct member *m);

/* Whether an ack with `seq` answers one of the last pings to the member, or a datagram is its wish
 * for a cookie before it acks, and no datagram has acked that one. What a link's ping asked is not
 * answered by datagram, as nobody receives it at an address. */
bool probe_awaits_ack(const struct member *m, uint32_t seq, bool is_datagram);
bool probe_awaits_cookie(const struct member *m, uint32_t seq);

/* Drops everything that is open against the member. */
void probe_acquit(struct swim *s, struct member *m);

/* Sets the member's timer to what is next. */
void probe_schedule(struct swim *s, struct member *m);

/* Changes local health: +1 for the worse, -1 for the better. */
void probe_health(struct swim *s, int change);

/* Whether a ping went to that address in the sealed datagram with that mark, and was not acked. */
bool probe_has_sent(const struct member *m, uint32_t mark, const struct addr *to);

#endif
