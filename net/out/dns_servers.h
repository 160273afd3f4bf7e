/*
 * dns_servers: name servers in their order, and questions that go from one to the next.
 *
 * A question goes to the first server; when that has been silent for a while, or says that it
 * cannot answer (SERVFAIL, REFUSED and the like), to the next. A server that was silent is asked a
 * second time in the end, as one datagram may be lost. Answers are waited for as long as the
 * question goes on, so a slow server is heard. Records, no records and "no such name" are answers,
 * whoever gives them, as for the C library; there is no rotation. A server that was silent for one
 * question is asked last for those that follow, and once, until it has said something.
 */
#ifndef NET_OUT_DNS_SERVERS_H
#define NET_OUT_DNS_SERVERS_H

#include "net/out/dns_message.h"

struct dns_servers;
struct dns_lookup;
struct event_base;

enum {
    DNS_SERVERS_MAX = 8,
    DNS_TRIES = 2, /* of a silent server */
    DNS_DETAIL_SIZE = 256,
};

/*
 * What came of a question, borrowed for the call.
 *
 *   RC_OK         `bytes` are a message with records
 *   RC_NOT_FOUND  the name, or its records of that type, do not exist
 *   RC_TIMEOUT    no server has said a word
 *   RC_IO         none has answered, and at least one said that it cannot
 */
struct dns_outcome {
    enum rc rc;
    bool is_name;       /* with RC_NOT_FOUND: it exists, but without such records */
    const char *detail; /* why, to people; of the last two: which server did what */
    const uint8_t *bytes;
    size_t len;
};

/* `count` servers, 1 to DNS_SERVERS_MAX, with their ports; each has `try_ms` before the next is
 * asked. `base` is borrowed for its life. NULL when the system gives no memory. */
struct dns_servers *dns_servers_new(struct event_base *base, const struct addr *at, size_t count,
                                    uint32_t try_ms);

/* No lookup may be under way, and not from within a `done`. NULL is ignored. */
void dns_servers_free(struct dns_servers *s);

/* Every lookup ends within about so long. */
uint32_t dns_servers_limit_ms(const struct dns_servers *s);

/* Starts a lookup of a name as it is. `done` is called exactly once, from the loop, unless it is
 * cancelled; the lookup is gone when it is called. */
struct dns_lookup *dns_servers_ask(struct dns_servers *s, const char *name, enum dns_type type,
                                   void (*done)(void *arg, const struct dns_outcome *outcome),
                                   void *arg);
void dns_servers_cancel(struct dns_lookup *l);

#endif
