#include "net/out/tls_client.h"

#include "core/base/addr.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>

enum { HOST_SIZE = 256 }; /* RFC 1035 section 2.3.4 */

/* The name or address that the certificate must carry; a name is also sent as SNI (RFC 6066), an
 * address must not be. */
static bool tls_client_expect(SSL *ssl, const char *host)
{
    struct addr addr;
    if (addr_parse_ip(host, 0, &addr) == RC_OK) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    }
    /* A copy, because the macro of OpenSSL casts const away. */
    char name[HOST_SIZE];
    if (snprintf(name, sizeof(name), "%s", host) >= HOST_SIZE) {
        return false;
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static SSL *tls_client_ssl(const char *host)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    if (ctx == NULL) {
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_default_verify_paths(ctx) == 1) {
        ssl = SSL_new(ctx);
    }
    /* The connection holds its own count of the context. */
    SSL_CTX_free(ctx);
    if (ssl != NULL && !tls_client_expect(ssl, host)) {
        SSL_free(ssl);
        return NULL;
    }
    return ssl;
}

struct bufferevent *tls_client_new(struct event_base *base, int fd, const char *host)
{
    SSL *ssl = tls_client_ssl(host);
    if (ssl == NULL) {
        return NULL;
    }
    /* Without memory for it libevent frees what it would have freed at the end. */
    return bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_CONNECTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

void tls_client_error(struct bufferevent *bev, char *ret_text, size_t size)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    const long verdict = SSL_get_verify_result(ssl);
    const unsigned long error = bufferevent_get_openssl_error(bev);
    if (verdict != X509_V_OK) {
        (void)snprintf(ret_text, size, "certificate refused: %s",
                       X509_verify_cert_error_string(verdict));
    } else if (error != 0) {
        const char *reason = ERR_reason_error_string(error);
        (void)snprintf(ret_text, size, "TLS: %s", reason != NULL ? reason : "unknown error");
    } else {
        (void)snprintf(ret_text, size, "TLS: the connection was closed");
    }
}
