#include "net/crypto/stream.h"

#include "core/base/assert.h"
#include "net/crypto/psk.h"

#include <errno.h>
#include <event2/buffer.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * What one call may take in. OpenSSL goes on until there are bytes of the other side or no more of
 * anything, and bounds neither the messages of TLS itself nor the records nor their time: one read
 * of two million key updates took 13 s, and one ClientHello in records of a byte, with 30 empty
 * ones before each, 1.2 s. It is with the connection during the call alone.
 */
struct intake {
    size_t left;       /* bytes of the socket; the last read of it may pass that by a record */
    size_t whole_max;  /* since the connection began; 0: no matter */
    uint32_t messages; /* of TLS itself */
    uint32_t records;
    bool is_over; /* there were more than whole_max */
};

/* Beyond STREAM_MESSAGES_MAX of one read the other side counts as gone. */
static void on_message(int is_written, int version, int type, const void *data, size_t len,
                       SSL *ssl, void *arg)
{
    struct intake *in = arg;
    (void)version;
    (void)data;
    (void)len;
    if (in == NULL) {
        return;
    }
    in->records += type == SSL3_RT_HEADER && is_written == 0;
    in->messages += type == SSL3_RT_HANDSHAKE || type == SSL3_RT_ALERT;
    if (in->messages > STREAM_MESSAGES_MAX && in->whole_max == 0) {
        SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    }
}

/* Around each use of the socket. Where enough was read it says so as a socket that has nothing
 * does; the loop calls again, as the socket is still readable. */
static long on_socket(BIO *bio, int what, const char *data, size_t len, int argi, long argl,
                      int result, size_t *processed)
{
    struct intake *in = (void *)BIO_get_callback_arg(bio);
    (void)data;
    (void)len;
    (void)argi;
    (void)argl;
    if (in == NULL) {
        return result;
    }
    if (what == (BIO_CB_READ | BIO_CB_RETURN) && result > 0) {
        in->left -= *processed < in->left ? *processed : in->left;
    }
    if (what != BIO_CB_READ) {
        return result;
    }
    in->is_over = in->whole_max > 0 && BIO_number_read(bio) >= in->whole_max;
    if (in->is_over || in->left == 0) {
        BIO_clear_retry_flags(bio);
        BIO_set_retry_read(bio);
        return -1;
    }
    return result;
}

static void set_intake(const struct stream *s, struct intake *in)
{
    SSL_set_msg_callback_arg(s->ssl, in);
    BIO_set_callback_arg(SSL_get_rbio(s->ssl), (char *)in);
}

struct stream stream_plain(int fd)
{
    return (struct stream){.fd = fd};
}

struct stream stream_take(struct stream *s)
{
    const struct stream taken = *s;
    *s = stream_plain(-1);
    return taken;
}

enum rc stream_secure(struct stream *s, SSL *ssl)
{
    ASSERT(s->ssl == NULL && s->fd >= 0);
    ERR_clear_error();
    SSL_set_msg_callback(ssl, on_message);
    if (SSL_set_fd(ssl, s->fd) != 1) {
        SSL_free(ssl);
        ERR_clear_error();
        return RC_NO_MEMORY;
    }
    BIO_set_callback_ex(SSL_get_rbio(ssl), on_socket);
    /* What is written anew after RC_AGAIN may have moved; one record is better than none. */
    (void)SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
    SSL_set_read_ahead(ssl, 1); /* one system call a record, not two */
    (void)SSL_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    s->ssl = ssl;
    return RC_OK;
}

/* ---- TLS ---- */

/* Before each call whose failure is asked about: what others left in the queue is not its reason.
 */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0) { /* it seldom has any, and emptying it costs more than asking */
        ERR_clear_error();
    }
    errno = 0;
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Why a call failed. The queue of errors was empty before it and is empty again. */
static enum rc failure(struct stream *s, int result, bool *ret_is_writing)
{
    const int error = errno; /* of the system call, if it was one */
    const int kind = SSL_get_error(s->ssl, result);
    const bool was_begun = ERR_peek_error() != 0;
    ERR_clear_error();
    *ret_is_writing = kind == SSL_ERROR_WANT_WRITE;
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        return RC_AGAIN;
    }
    if (kind == SSL_ERROR_ZERO_RETURN) {
        return RC_CLOSED;
    }
    s->is_broken = true;
    if (kind == SSL_ERROR_SYSCALL && !was_begun) {
        errno = error;
        return error == 0 ? RC_CLOSED : RC_IO;
    }
    errno = EPROTO;
    return RC_REFUSED;
}

enum rc stream_handshake(struct stream *s, bool *ret_is_writing)
{
    *ret_is_writing = false;
    if (s->ssl == NULL) {
        return RC_OK;
    }
    struct intake in = {.left = SSL3_RT_MAX_PLAIN_LENGTH, .whole_max = STREAM_HANDSHAKE_MAX};
    forget_errors();
    set_intake(s, &in);
    const int result = SSL_do_handshake(s->ssl);
    set_intake(s, NULL);
    if (result == 1) {
        s->has_more = SSL_has_pending(s->ssl) == 1;
        return RC_OK;
    }
    const enum rc rc = failure(s, result, ret_is_writing);
    if (rc == RC_AGAIN && in.is_over) {
        s->is_broken = true;
        errno = EPROTO;
        return RC_REFUSED;
    }
    return rc;
}

static enum rc tls_read(struct stream *s, uint8_t *room, size_t size, size_t *ret_len)
{
    size_t total = 0;
    struct intake in = {.left = size > SSL3_RT_MAX_PLAIN_LENGTH ? size : SSL3_RT_MAX_PLAIN_LENGTH};
    bool is_writing = false;
    enum rc rc = RC_OK;
    if (s->is_broken) { /* as was found behind bytes, which went first */
        errno = EPROTO;
        return RC_IO;
    }
    set_intake(s, &in);
    do {
        size_t len = 0;
        forget_errors();
        if (SSL_read_ex(s->ssl, room + total, size - total, &len) != 1) {
            rc = failure(s, 0, &is_writing);
            rc = rc == RC_AGAIN && is_writing ? RC_IO : rc; /* which is not agreed to */
        }
        total += len;
    } while (rc == RC_OK && total < size && in.records < STREAM_RECORDS_MAX &&
             SSL_has_pending(s->ssl) == 1);
    set_intake(s, NULL);
    /* An end behind bytes is told by the next read. Half a record is nothing yet. */
    s->has_more = rc == RC_OK ? SSL_has_pending(s->ssl) == 1 : rc != RC_AGAIN && total > 0;
    if (total > 0) {
        *ret_len = total;
        return RC_OK;
    }
    return rc == RC_REFUSED ? RC_IO : rc;
}

static enum rc tls_write(struct stream *s, const uint8_t *data, size_t len, size_t *ret_len)
{
    size_t total = 0;
    enum rc rc = RC_OK;
    while (rc == RC_OK && total < len) {
        size_t taken = 0;
        bool is_writing = false;
        forget_errors();
        if (SSL_write_ex(s->ssl, data + total, len - total, &taken) != 1) {
            rc = failure(s, 0, &is_writing);
            /* Nobody is asked for another handshake, so that writing waits for nothing else. */
            rc = rc == RC_AGAIN && is_writing ? RC_AGAIN : RC_IO;
        }
        psk_wrote(s->ssl, taken);
        total += taken;
    }
    *ret_len = total;
    return rc == RC_AGAIN && total > 0 ? RC_OK : rc;
}

/* Small runs leave in one record, as each costs a system call; large ones are not copied. */
static enum rc send_record(struct stream *s, struct evbuffer *from, size_t *ret_len)
{
    uint8_t room[PSK_RECORD_BYTES];
    struct evbuffer_iovec run = {.iov_base = NULL};
    (void)evbuffer_peek(from, -1, NULL, &run, 1);
    const void *data = run.iov_base;
    size_t len = run.iov_len < PSK_RECORD_BYTES ? run.iov_len : PSK_RECORD_BYTES;
    if (len < PSK_RECORD_BYTES && len < evbuffer_get_length(from)) {
        const ev_ssize_t copied = evbuffer_copyout(from, room, sizeof(room));
        ASSERT(copied > 0);
        data = room;
        len = (size_t)copied;
    }
    return tls_write(s, data, len, ret_len);
}

static enum rc tls_send(struct stream *s, struct evbuffer *from, size_t max)
{
    size_t total = 0;
    while (total < max && evbuffer_get_length(from) > 0) {
        size_t taken = 0;
        const enum rc rc = send_record(s, from, &taken);
        (void)evbuffer_drain(from, taken);
        total += taken;
        if (rc != RC_OK) {
            return rc == RC_AGAIN ? RC_OK : rc;
        }
    }
    return RC_OK;
}

/* ---- Both ---- */

enum rc stream_read(struct stream *s, void *room, size_t size, size_t *ret_len)
{
    if (s->ssl != NULL) {
        return tls_read(s, room, size, ret_len);
    }
    const ssize_t len = recv(s->fd, room, size, 0);
    if (len > 0) {
        *ret_len = (size_t)len;
        return RC_OK;
    }
    if (len == 0) {
        return RC_CLOSED;
    }
    return is_passing(errno) ? RC_AGAIN : RC_IO;
}

enum rc stream_write(struct stream *s, const void *data, size_t len, size_t *ret_len)
{
    if (s->ssl != NULL) {
        return tls_write(s, data, len, ret_len);
    }
    const ssize_t sent = send(s->fd, data, len, MSG_NOSIGNAL);
    if (sent > 0) {
        *ret_len = (size_t)sent;
        return RC_OK;
    }
    *ret_len = 0;
    return sent == 0 || is_passing(errno) ? RC_AGAIN : RC_IO;
}

enum rc stream_read_into(struct stream *s, const struct iovec *rooms, size_t count, size_t *ret_len)
{
    if (s->ssl != NULL || count == 1) {
        return stream_read(s, rooms[0].iov_base, rooms[0].iov_len, ret_len);
    }
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)rooms, .msg_iovlen = count};
    const ssize_t len = recvmsg(s->fd, &message, 0);
    if (len > 0) {
        *ret_len = (size_t)len;
        return RC_OK;
    }
    if (len == 0) {
        return RC_CLOSED;
    }
    return is_passing(errno) ? RC_AGAIN : RC_IO;
}

enum rc stream_write_runs(struct stream *s, const struct iovec *runs, size_t count, size_t *ret_len)
{
    ASSERT(s->ssl == NULL);
    if (count == 1) {
        return stream_write(s, runs[0].iov_base, runs[0].iov_len, ret_len);
    }
    /* sendmsg() alone of its kind can be told to raise no signal. */
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)runs, .msg_iovlen = count};
    const ssize_t sent = sendmsg(s->fd, &message, MSG_NOSIGNAL);
    *ret_len = sent > 0 ? (size_t)sent : 0;
    if (sent > 0) {
        return RC_OK;
    }
    return sent == 0 || is_passing(errno) ? RC_AGAIN : RC_IO;
}

enum rc stream_send(struct stream *s, struct evbuffer *from, size_t max)
{
    if (s->ssl != NULL) {
        return tls_send(s, from, max);
    }
    const int sent = evbuffer_write_atmost(from, s->fd, (ev_ssize_t)max);
    return sent >= 0 || is_passing(errno) ? RC_OK : RC_IO;
}

static void say_close(struct stream *s)
{
    if (s->ssl != NULL && !s->is_broken && SSL_is_init_finished(s->ssl) == 1 &&
        (SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN) == 0) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl); /* what the socket does not take at once is left unsaid */
        ERR_clear_error();
    }
}

void stream_finish(struct stream *s)
{
    say_close(s);
    (void)shutdown(s->fd, SHUT_WR);
}

void stream_reset(struct stream *s)
{
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};
    s->is_broken = true;
    (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

void stream_close(struct stream *s)
{
    if (s->ssl != NULL) {
        say_close(s);
        SSL_free(s->ssl);
    }
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    *s = stream_plain(-1);
}
