/*
 * stream: an ordered stream of bytes both ways: a connected, non-blocking socket, or TLS over one
 * (RFC 8446, OpenSSL).
 *
 * The plain kind is one system call for each call here and nothing else. With TLS one call may take
 * several records, and what OpenSSL has read ahead is no event of the socket: after each read
 * `has_more` says whether to read again without waiting for one. Neither direction waits for the
 * other: there is no second handshake, and the answer to a key update goes with the next write.
 *
 * A value, moved by stream_take(). The process must ignore SIGPIPE. Left out: buffers, events and
 * deadlines, which are the user's, and what is agreed in a handshake (net/crypto/tls_context and
 * others).
 */
#ifndef NET_CRYPTO_STREAM_H
#define NET_CRYPTO_STREAM_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct iovec;
struct ssl_st; /* OpenSSL's SSL */

enum {
    /* Of TLS itself, key updates above all, that one read may take. A link has one in millions of
     * records (net/crypto/psk). */
    STREAM_MESSAGES_MAX = 32,
    /* Of which one read takes no more once it has so many, however small they are: each costs what
     * a key and a tag cost. What others send is 1.4 KB and more a record where there is much. */
    STREAM_RECORDS_MAX = 64,
    /* Of a whole handshake, in bytes: a ClientHello of 2 KB, or one with a client's chain of
     * certificates. OpenSSL would take 230 KB, in records of any size. */
    STREAM_HANDSHAKE_MAX = 64 * 1024,
};

struct stream {
    int fd;             /* owned; -1: none */
    struct ssl_st *ssl; /* owned; NULL: plain */
    bool has_more;      /* bytes wait in memory, perhaps those of a whole record */
    bool is_broken;     /* no farewell is said */
};

/* A plain one, of a connected, non-blocking socket that it owns from now on. */
struct stream stream_plain(int fd);

/* Moves it: `s` is empty afterwards. */
struct stream stream_take(struct stream *s);

/* From now on it is TLS over the same socket. `ssl` has its role set (SSL_set_accept_state() or the
 * other) and is the stream's. RC_NO_MEMORY: `ssl` is freed, the stream is plain still. */
MUST_USE enum rc stream_secure(struct stream *s, struct ssl_st *ssl);

/*
 * Goes on with the handshake; to be called until it is RC_OK, which for a plain stream it is at
 * once. RC_AGAIN: *ret_is_writing says that the socket must be writable first, else readable.
 * RC_CLOSED: the other side has left. RC_REFUSED: it failed, and the alert that says why is sent,
 * or it was longer than STREAM_HANDSHAKE_MAX. RC_IO: the connection is broken.
 */
MUST_USE enum rc stream_handshake(struct stream *s, bool *ret_is_writing);

/*
 * Reads what there is, at most `size` > 0 bytes, and sets *ret_len > 0 with RC_OK. RC_AGAIN: wait
 * until the socket is readable. RC_CLOSED: the other side sends no more. With TLS it may also have
 * left without close_notify, as what runs over streams says itself where it ends; and whoever sends
 * more than STREAM_MESSAGES_MAX messages of TLS in one read counts as gone. RC_IO: broken, errno
 * says why.
 */
MUST_USE enum rc stream_read(struct stream *s, void *room, size_t size, size_t *ret_len);

/* The same into several rooms, which are filled in their order: `count` of them, at least one, none
 * of them empty. With TLS only the first is used. */
MUST_USE enum rc stream_read_into(struct stream *s, const struct iovec *rooms, size_t count,
                                  size_t *ret_len);

/* Writes what the socket takes of several runs, of a plain stream: as stream_write(). */
MUST_USE enum rc stream_write_runs(struct stream *s, const struct iovec *runs, size_t count,
                                   size_t *ret_len);

/*
 * Writes what the socket takes: RC_OK with *ret_len in 1..len. RC_AGAIN: nothing was taken; the
 * next call must begin with the same bytes, at least as many of them, at any address. RC_IO:
 * broken, errno says why.
 */
MUST_USE enum rc stream_write(struct stream *s, const void *data, size_t len, size_t *ret_len);

/* Writes the front of a buffer, about `max` bytes of it at most, and drains what was taken.
 * RC_OK: if something is left, wait until the socket is writable. RC_IO: broken, errno says why. */
MUST_USE enum rc stream_send(struct stream *s, struct evbuffer *from, size_t max);

/* Says that we send no more: close_notify with TLS, and the end of our half of the connection. */
void stream_finish(struct stream *s);

/* What is closed now ends without a farewell, and what the kernel still holds is dropped. */
void stream_reset(struct stream *s);

/* Ends it, with a farewell where that is possible at once. Empty afterwards; an empty one may be
 * closed. */
void stream_close(struct stream *s);

#endif
