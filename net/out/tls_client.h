/*
 * tls_client: the client's end of TLS connections whose server must prove its name (OpenSSL).
 *
 * The chain is verified against the authorities of a file or, without one, the system's
 * (SSL_CERT_FILE and SSL_CERT_DIR are honoured by OpenSSL itself), and the certificate must name
 * the host, an IP address included. There is no way around either. A certificate of one's own is
 * shown to servers that ask for it. TLS 1.2 at least. Left out: session reuse, revocation lists,
 * keys with a passphrase.
 */
#ifndef NET_OUT_TLS_CLIENT_H
#define NET_OUT_TLS_CLIENT_H

#include <stddef.h>

struct bufferevent;
struct event_base;
struct ssl_st; /* OpenSSL's SSL */
struct tls_client;

/* PEM; each may be NULL or "". */
struct tls_client_files {
    const char *ca;   /* authorities, in place of the system's */
    const char *cert; /* one's own certificate and the chain above it */
    const char *key;  /* of that; without it the key stands in the certificate's file */
};

/* What all connections of a run trust and show. NULL when it cannot be made, and ret_why says so in
 * at most `size` bytes. The key is no longer needed on disk then. */
struct tls_client *tls_client_new(const struct tls_client_files *files, char *ret_why, size_t size);
/* Connections go on. NULL is ignored. */
void tls_client_free(struct tls_client *t);

/*
 * A bufferevent on a connected, non-blocking socket that starts its handshake at once;
 * BEV_EVENT_CONNECTED follows when the server is who it should be. It owns `fd` from then on. With
 * `t` NULL the system's authorities are trusted and no certificate is shown. NULL, with `fd` still
 * the caller's, when TLS cannot be set up.
 */
struct bufferevent *tls_client_open(struct tls_client *t, struct event_base *base, int fd,
                                    const char *host);

/* The same for net/crypto/stream: the client's end of a handshake that has not begun, the caller's.
 * NULL when it cannot be made. */
struct ssl_st *tls_client_ssl(struct tls_client *t, const char *host);

/* Why the handshake of such an end failed, in words; writes at most `size` bytes with the NUL. */
void tls_client_refusal(const struct ssl_st *ssl, char *ret_text, size_t size);

/* Why the connection failed, in words; writes at most `size` bytes with the NUL. */
void tls_client_error(struct bufferevent *bev, char *ret_text, size_t size);

#endif
