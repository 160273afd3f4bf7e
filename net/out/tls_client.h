/*
 * tls_client: the client's end of a TLS connection whose server must prove its name (OpenSSL).
 *
 * The chain is verified against the system's authorities (SSL_CERT_FILE and SSL_CERT_DIR are
 * honoured by OpenSSL itself) and the certificate must name the host, an IP address included. TLS
 * 1.2 at least. Left out: client certificates, session reuse, revocation lists.
 */
#ifndef NET_OUT_TLS_CLIENT_H
#define NET_OUT_TLS_CLIENT_H

#include <stddef.h>

struct bufferevent;
struct event_base;

/*
 * A bufferevent on a connected, non-blocking socket that starts its handshake at once;
 * BEV_EVENT_CONNECTED follows when the server is who it should be. It owns `fd` from then on. NULL,
 * with `fd` still the caller's, when TLS cannot be set up.
 */
struct bufferevent *tls_client_new(struct event_base *base, int fd, const char *host);

/* Why the connection failed, in words; writes at most `size` bytes with the NUL. */
void tls_client_error(struct bufferevent *bev, char *ret_text, size_t size);

#endif
