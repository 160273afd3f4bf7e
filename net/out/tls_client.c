#include "net/out/tls_client.h"

#include "core/base/addr.h"
#include "core/base/mem.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOST_SIZE = 256, /* RFC 1035 section 2.3.4 */
    NAMES_SIZE = 80, /* of a certificate, in an error */
};

struct tls_client {
    SSL_CTX *ctx;
};

/* ---- What is trusted and shown ---- */

static bool is_named(const char *file)
{
    return file != NULL && *file != '\0';
}

/* Nobody is asked for a passphrase: a command may run where nobody is. */
static int no_passphrase(char *text, int size, int is_writing, void *arg)
{
    (void)text;
    (void)size;
    (void)is_writing;
    (void)arg;
    return -1;
}

/* Says why a file is refused, and forgets OpenSSL's errors about it. Returns false. */
static bool refuse_file(const char *file, const char *problem, char *ret_why, size_t size)
{
    const unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);
    if (ERR_GET_LIB(error) == ERR_LIB_SYS) {
        problem = strerror(ERR_GET_REASON(error));
    } else if (ERR_GET_LIB(error) == ERR_LIB_X509 &&
               ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH) {
        problem = "the key is not the certificate's";
    }
    (void)snprintf(ret_why, size, "%s: %s", file,
                   problem != NULL ? problem : (reason != NULL ? reason : "cannot be used"));
    ERR_clear_error();
    return false;
}

static bool take_files(SSL_CTX *ctx, const struct tls_client_files *files, char *ret_why,
                       size_t size)
{
    const char *key = is_named(files->key) ? files->key : files->cert;
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (is_named(files->ca) && SSL_CTX_load_verify_locations(ctx, files->ca, NULL) != 1) {
        return refuse_file(files->ca, "it holds no certificate in PEM", ret_why, size);
    }
    if (!is_named(files->ca) && SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return refuse_file("the system's authorities", NULL, ret_why, size);
    }
    if (!is_named(files->cert)) {
        return true;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1) {
        return refuse_file(files->cert, "it holds no certificate in PEM", ret_why, size);
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        return refuse_file(key, "it holds no key in PEM that can be read without a passphrase",
                           ret_why, size);
    }
    return true;
}

struct tls_client *tls_client_new(const struct tls_client_files *files, char *ret_why, size_t size)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        (void)refuse_file("TLS", "cannot be set up", ret_why, size);
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (!take_files(ctx, files, ret_why, size)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    struct tls_client *t = mem_new(1, sizeof(*t));
    t->ctx = ctx;
    return t;
}

void tls_client_free(struct tls_client *t)
{
    if (t != NULL) {
        /* Each connection holds its own count of the context. */
        SSL_CTX_free(t->ctx);
        free(t);
    }
}

/* ---- Connections ---- */

/* The name or address that the certificate must carry; a name is also sent as SNI (RFC 6066), an
 * address must not be. */
static bool expect(SSL *ssl, const char *host)
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

SSL *tls_client_ssl(struct tls_client *t, const char *host)
{
    SSL *ssl = SSL_new(t->ctx);
    if (ssl != NULL && !expect(ssl, host)) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (ssl == NULL) {
        ERR_clear_error();
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

struct bufferevent *tls_client_open(struct tls_client *t, struct event_base *base, int fd,
                                    const char *host)
{
    static const struct tls_client_files none = {.ca = NULL};
    char why[HOST_SIZE];
    struct tls_client *own = t == NULL ? tls_client_new(&none, why, sizeof(why)) : NULL;
    struct tls_client *used = t != NULL ? t : own;
    SSL *ssl = used != NULL ? tls_client_ssl(used, host) : NULL;
    tls_client_free(own);
    if (ssl == NULL) {
        return NULL;
    }
    /* Without memory for it libevent frees what it would have freed at the end. */
    return bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_CONNECTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

/* ---- Words ---- */

/* What a person can do about a certificate that was refused; "" where OpenSSL's words say it. */
static const char *more_of(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "; no authority that is trusted here has signed it";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return " by this host's clock";
    default:
        return "";
    }
}

struct list {
    char *text;
    size_t len, size;
    bool has_more; /* than fit */
};

/* One more, behind a comma. Of many or long ones the first are told. */
static void list_add(struct list *l, const char *name)
{
    const char *comma = l->len > 0 ? ", " : "";
    if (l->len + strlen(comma) + strlen(name) < l->size) {
        l->len += (size_t)snprintf(l->text + l->len, l->size - l->len, "%s%s", comma, name);
    } else {
        l->has_more = true;
    }
}

/* A name from a certificate as it may stand in a line of text: what somebody else has chosen. */
static bool is_plain(const unsigned char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] <= ' ' || data[i] > '~') {
            return false;
        }
    }
    return len > 0 && len < HOST_SIZE;
}

static void add_name(struct list *l, const GENERAL_NAME *name)
{
    const ASN1_STRING *value = name->type == GEN_DNS     ? name->d.dNSName
                               : name->type == GEN_IPADD ? name->d.iPAddress
                                                         : NULL;
    const unsigned char *data = value != NULL ? ASN1_STRING_get0_data(value) : NULL;
    const size_t len = value != NULL ? (size_t)ASN1_STRING_length(value) : 0;
    char text[HOST_SIZE];
    if (name->type == GEN_DNS && is_plain(data, len)) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)data);
        list_add(l, text);
    } else if (name->type == GEN_IPADD && (len == 4 || len == 16)) {
        struct addr addr = {.port = 0};
        if (len == 4) {
            addr = addr_v4(data, 0);
        } else {
            memcpy(addr.ip, data, len);
        }
        list_add(l, addr_format_ip(&addr, text));
    }
}

/* Whom the server's certificate is for. */
static void list_names(const SSL *ssl, struct list *l)
{
    const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl); /* refused or not */
    const X509 *cert = sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
    GENERAL_NAMES *names =
        cert != NULL ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
    l->text[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        add_name(l, sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
}

/* The certificate is good, and another's. */
static void say_mismatch(const SSL *ssl, bool is_ip, char *ret_text, size_t size)
{
    char names[NAMES_SIZE];
    struct list list = {.text = names, .size = sizeof(names)};
    X509_VERIFY_PARAM *asked = SSL_get0_param((SSL *)(uintptr_t)ssl); /* which it only reads */
    char *ip = is_ip ? X509_VERIFY_PARAM_get1_ip_asc(asked) : NULL;
    const char *host = ip != NULL ? ip : X509_VERIFY_PARAM_get0_host(asked, 0);
    list_names(ssl, &list);
    const char *own = list.len > 0 ? names : list.has_more ? "a long name" : "no host";
    (void)snprintf(ret_text, size,
                   "certificate refused: it is for %s, not for %.64s: name the server as the "
                   "certificate does, or have %s:%.64s put into it (subjectAltName)",
                   own, host != NULL ? host : "what was asked", is_ip ? "IP" : "DNS",
                   host != NULL ? host : "...");
    OPENSSL_free(ip);
}

static void say(const SSL *ssl, unsigned long error, char *ret_text, size_t size)
{
    const long verdict = SSL_get_verify_result(ssl);
    const char *reason = ERR_reason_error_string(error);
    const int code = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        say_mismatch(ssl, verdict == X509_V_ERR_IP_ADDRESS_MISMATCH, ret_text, size);
    } else if (verdict != X509_V_OK) {
        (void)snprintf(ret_text, size, "certificate refused: %s%s",
                       X509_verify_cert_error_string(verdict), more_of(verdict));
    } else if (code == SSL_R_WRONG_VERSION_NUMBER || code == SSL_R_HTTP_REQUEST) {
        (void)snprintf(ret_text, size, "TLS: what answers there does not speak TLS");
    } else if (code == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE) {
        /* As a node with a secret and without a certificate does. */
        (void)snprintf(ret_text, size, "TLS: the server has no certificate, or agrees to nothing");
    } else if (code == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED) {
        (void)snprintf(ret_text, size, "TLS: the server asks for a certificate");
    } else if (ERR_GET_LIB(error) != 0) {
        (void)snprintf(ret_text, size, "TLS: %s", reason != NULL ? reason : "unknown error");
    } else {
        (void)snprintf(ret_text, size, "TLS: the connection was closed");
    }
}

void tls_client_refusal(const SSL *ssl, char *ret_text, size_t size)
{
    say(ssl, 0, ret_text, size); /* the stream has taken the error itself */
}

void tls_client_error(struct bufferevent *bev, char *ret_text, size_t size)
{
    say(bufferevent_openssl_get_ssl(bev), bufferevent_get_openssl_error(bev), ret_text, size);
}
