/*
 * dns_channel: one name server, asked through c-ares on the node's libevent loop.
 *
 * c-ares sends the question by datagram with EDNS (RFC 6891), by TCP where the answer is cut,
 * checks that an answer is one to its question, and passes on what the server said, whatever that
 * is. Which server is asked, how often, and what its words mean for the node is net/out/dns's to
 * decide: c-ares changes from release to release in whom it asks next, and says of failures neither
 * the server nor the code.
 */
#ifndef NET_OUT_DNS_CHANNEL_H
#define NET_OUT_DNS_CHANNEL_H

#include "net/out/dns_message.h"

struct dns_channel;
struct dns_ask;
struct event_base;

enum dns_reply_kind {
    DNS_REPLY_RECORDS,    /* `bytes` hold some, and dns_message reads them */
    DNS_REPLY_NO_RECORDS, /* the name has none of that type */
    DNS_REPLY_NO_NAME,    /* NXDOMAIN, or it is none that could be asked for */
    DNS_REPLY_FAILED,     /* the server said that it cannot answer, or cannot be reached */
    DNS_REPLY_SILENT,
};

struct dns_reply {
    enum dns_reply_kind kind;
    const char *text; /* static; of a failure behind the server's name: "fails (SERVFAIL)" */
    const uint8_t *bytes;
    size_t len;
};

/* For the server at `at`, with its port. `base` is borrowed for its life. NULL when the system
 * gives no memory. */
struct dns_channel *dns_channel_new(struct event_base *base, const struct addr *at);

/* Ends what is under way without a call. Not from within a `done`. NULL is ignored. */
void dns_channel_free(struct dns_channel *ch);

/*
 * Asks once for the name's records of a type. *slot is the question until it is over, then NULL; it
 * is set before `done` is called, which is perhaps before this returns, and once unless the
 * question is forgotten. The reply is borrowed for the call. How long to wait is the caller's to
 * say: c-ares gives up after a minute, or, in releases that learn from a server's speed, after some
 * of that.
 */
void dns_channel_ask(struct dns_channel *ch, const char *name, enum dns_type type,
                     struct dns_ask **slot, void (*done)(void *arg, const struct dns_reply *reply),
                     void *arg);

/* Nobody waits for the answer any more: *slot is NULL, and `done` is not called. */
void dns_channel_forget(struct dns_ask **slot);

#endif
