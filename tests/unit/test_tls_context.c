#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/sealing/keyring.h"
#include "net/crypto/psk.h"
#include "net/crypto/seal_openssl.h"
#include "tests/unit/failing_alloc.h"
#include "tls_rig.h"

enum {
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_INTERNAL_ERROR = 80,
    ALERT_NO_PROTOCOL = 120,
    SMALL_RSA = 512,
};

struct rig {
    struct tls_paper ca, other_ca, server, expired, rsa;
    struct tls_context *context;
    struct tls_pair pair;
    struct tls_fault fault;
};

static int make_papers(void **state)
{
    static struct rig rig;
    tls_paper_make(&rig.ca, NULL, EVP_EC_gen("P-256"), -1, 30);
    tls_paper_make(&rig.other_ca, NULL, EVP_EC_gen("P-256"), -1, 30);
    tls_paper_make(&rig.server, &rig.ca, EVP_EC_gen("P-256"), -1, 30);
    tls_paper_make(&rig.expired, &rig.ca, EVP_EC_gen("P-256"), -30, -1);
    tls_paper_make(&rig.rsa, &rig.ca, EVP_RSA_gen(TLS_RIG_RSA), 1, 30);
    *state = &rig;
    return 0;
}

static int free_papers(void **state)
{
    struct rig *rig = *state;
    tls_paper_free(&rig->ca);
    tls_paper_free(&rig->other_ca);
    tls_paper_free(&rig->server);
    tls_paper_free(&rig->expired);
    tls_paper_free(&rig->rsa);
    return 0;
}

static int set_up(void **state)
{
    struct rig *rig = *state;
    rig->context = tls_context_new();
    rig->pair.here = stream_plain(-1);
    rig->pair.there = stream_plain(-1);
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    tls_pair_free(&rig->pair);
    tls_context_free(rig->context);
    return 0;
}

static enum rc load(struct rig *rig, const char *cert, const char *key, const char *ca)
{
    const struct tls_pem pem = tls_pem_of(cert, key, ca);
    rig->fault.why[0] = '\0';
    const enum rc rc = tls_context_load(rig->context, &pem, &rig->fault);
    assert_int_equal(ERR_peek_error(), 0);
    return rc;
}

static void takes(struct rig *rig, const struct tls_paper *paper, const char *ca)
{
    assert_int_equal(load(rig, paper->cert_text, paper->key_text, ca), RC_OK);
}

/* A handshake with a new connection of the client that `pair.client_ctx` makes. */
static bool shakes(struct rig *rig)
{
    tls_pair_close(&rig->pair);
    tls_pair_open(&rig->pair, rig->context);
    return tls_pair_shake(&rig->pair);
}

static SSL_CTX *client(struct rig *rig)
{
    tls_pair_free(&rig->pair);
    rig->pair.client_ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(rig->pair.client_ctx, 0);
    return rig->pair.client_ctx;
}

static int alert; /* that the client has got */

static void on_info(const SSL *ssl, int where, int value)
{
    (void)ssl;
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT) {
        alert = value & UINT8_MAX;
    }
}

/* ---- Without, and with one that is no good ---- */

static void without_a_certificate_https_is_refused(void **state)
{
    struct rig *rig = *state;
    alert = 0;
    SSL_CTX_set_info_callback(client(rig), on_info);
    assert_false(tls_context_is_serving(rig->context));
    assert_false(tls_context_accepts(rig->context));
    assert_false(shakes(rig));
    assert_int_equal(rig->pair.here_rc, RC_REFUSED);
    assert_int_equal(tls_context_kind(rig->pair.here.ssl), TLS_KIND_HTTPS);
    assert_int_equal(alert, ALERT_HANDSHAKE_FAILURE);
}

static void what_is_no_good_is_refused_with_its_reason(void **state)
{
    struct rig *rig = *state;
    static const char damaged[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    char chain[2 * TLS_RIG_TEXT_SIZE];
    char locked[TLS_RIG_TEXT_SIZE];
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned char password[] = "password";
    (void)PEM_write_bio_PrivateKey(bio, rig->server.key, EVP_aes_128_cbc(), password, 8, NULL,
                                   NULL);
    tls_paper_text(bio, locked);
    (void)snprintf(chain, sizeof(chain), "%s%s", rig->server.cert_text, damaged);
    const struct {
        const char *cert, *key, *ca, *why;
    } cases[] = {
        {"", rig->server.key_text, NULL, "the certificate cannot be read"},
        {damaged, rig->server.key_text, NULL, "the certificate cannot be read"},
        {rig->server.key_text, rig->server.key_text, NULL, "the certificate cannot be read"},
        {chain, rig->server.key_text, NULL, "a certificate of the chain cannot be read"},
        {rig->server.cert_text, "", NULL, "the key cannot be read"},
        {rig->server.cert_text, locked, NULL, "without a password"},
        {rig->server.cert_text, rig->ca.key_text, NULL, "the key does not belong"},
        {rig->rsa.cert_text, rig->server.key_text, NULL, "the key does not belong"},
        {rig->server.cert_text, rig->server.key_text, "", "the authorities of clients"},
        {rig->server.cert_text, rig->server.key_text, damaged, "the authorities of clients"},
    };
    takes(rig, &rig->server, rig->ca.cert_text);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(load(rig, cases[i].cert, cases[i].key, cases[i].ca), RC_CONFIG);
        assert_non_null(strstr(rig->fault.why, cases[i].why));
        assert_null(strstr(rig->fault.why, "BEGIN"));
        assert_true(shakes(rig)); /* with what there was */
        assert_int_equal(X509_cmp(SSL_get0_peer_certificate(rig->pair.there.ssl), rig->server.cert),
                         0);
    }
}

static void a_small_rsa_key_is_refused(void **state)
{
    struct rig *rig = *state;
    struct tls_paper small = {.cert = NULL};
    tls_paper_make(&small, &rig->ca, EVP_RSA_gen(SMALL_RSA), -1, 1);
    assert_int_equal(load(rig, small.cert_text, small.key_text, NULL), RC_CONFIG);
    assert_non_null(strstr(rig->fault.why, "too small"));
    tls_paper_free(&small);
}

/* ---- Certificates ---- */

static void dates_are_told_and_not_judged(void **state)
{
    struct rig *rig = *state;
    takes(rig, &rig->expired, NULL);
    assert_true(shakes(rig));
    struct tls_dates dates = tls_context_dates(rig->context);
    const int64_t ended = dates.not_after_s;
    assert_true(ended - dates.not_before_s >= INT64_C(29) * TLS_RIG_DAY_S - 1);
    takes(rig, &rig->rsa, NULL);
    assert_true(shakes(rig));
    dates = tls_context_dates(rig->context);
    assert_true(dates.not_before_s - ended >= INT64_C(2) * TLS_RIG_DAY_S);
}

static void the_chain_is_sent_with_it(void **state)
{
    struct rig *rig = *state;
    char chain[2 * TLS_RIG_TEXT_SIZE];
    (void)snprintf(chain, sizeof(chain), "%s%s", rig->server.cert_text, rig->ca.cert_text);
    assert_int_equal(load(rig, chain, rig->server.key_text, NULL), RC_OK);
    assert_true(shakes(rig));
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(rig->pair.there.ssl)), 2);
}

static void those_that_are_open_go_on_after_a_swap(void **state)
{
    struct rig *rig = *state;
    struct tls_pair old = {.client_ctx = NULL};
    size_t len = 0;
    char room[8];
    takes(rig, &rig->server, NULL);
    tls_pair_open(&old, rig->context);
    assert_true(tls_pair_shake(&old));
    tls_pair_open(&rig->pair, rig->context); /* is in the middle of its handshake */
    takes(rig, &rig->rsa, NULL);
    assert_true(tls_pair_shake(&rig->pair));
    assert_int_equal(stream_write(&old.there, "hello", 5, &len), RC_OK);
    assert_int_equal(stream_read(&old.here, room, sizeof(room), &len), RC_OK);
    assert_true(shakes(rig));
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(rig->pair.there.ssl), rig->rsa.cert), 0);
    tls_pair_free(&old);
}

/* ---- What is agreed on ---- */

static void older_versions_and_weak_suites_are_refused(void **state)
{
    struct rig *rig = *state;
    takes(rig, &rig->server, NULL);
    (void)SSL_CTX_set_max_proto_version(client(rig), TLS1_1_VERSION);
    assert_false(shakes(rig));
    SSL_CTX *ctx = client(rig);
    (void)SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    assert_true(shakes(rig));
    assert_int_equal(SSL_version(rig->pair.here.ssl), TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ECDHE+AES:!AESGCM:!AESCCM"), 1);
    assert_false(shakes(rig));
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ECDHE+CHACHA20"), 1);
    assert_true(shakes(rig));
    client(rig);
    assert_true(shakes(rig));
    assert_int_equal(SSL_version(rig->pair.here.ssl), TLS1_3_VERSION);
}

static void nobody_handshakes_twice(void **state)
{
    struct rig *rig = *state;
    bool is_writing = false;
    size_t len = 0;
    char room[8];
    takes(rig, &rig->server, NULL);
    (void)SSL_CTX_set_max_proto_version(client(rig), TLS1_2_VERSION);
    assert_true(shakes(rig));
    assert_int_equal(SSL_renegotiate(rig->pair.there.ssl), 1);
    assert_int_equal(stream_handshake(&rig->pair.there, &is_writing), RC_AGAIN);
    assert_int_equal(stream_read(&rig->pair.here, room, sizeof(room), &len), RC_AGAIN);
    assert_int_equal(stream_handshake(&rig->pair.there, &is_writing), RC_REFUSED);
}

static SSL_SESSION *ticket;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

static void a_ticket_is_good_until_a_swap(void **state)
{
    struct rig *rig = *state;
    size_t len = 0;
    char room[8];
    takes(rig, &rig->server, rig->ca.cert_text);
    SSL_CTX *ctx = client(rig);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(ctx, on_ticket);
    assert_int_equal(SSL_CTX_use_certificate(ctx, rig->server.cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, rig->server.key), 1);
    assert_true(shakes(rig));
    assert_int_equal(stream_read(&rig->pair.there, room, sizeof(room), &len), RC_AGAIN);
    assert_non_null(ticket);
    for (int i = 0; i < 2; i++) {
        tls_pair_close(&rig->pair);
        tls_pair_open(&rig->pair, rig->context);
        assert_int_equal(SSL_set_session(rig->pair.there.ssl, ticket), 1);
        assert_true(tls_pair_shake(&rig->pair));
        assert_int_equal(SSL_session_reused(rig->pair.here.ssl), i == 0);
        assert_true(tls_context_has_client(rig->pair.here.ssl)); /* shown then, or now */
        takes(rig, &rig->server, rig->ca.cert_text);
    }
    SSL_SESSION_free(ticket);
    ticket = NULL;
}

static void of_http_only_1_1_is_spoken(void **state)
{
    struct rig *rig = *state;
    const unsigned char *chosen = NULL;
    unsigned len = 0;
    takes(rig, &rig->server, NULL);
    alert = 0;
    SSL_CTX *ctx = client(rig);
    SSL_CTX_set_info_callback(ctx, on_info);
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\2h2\10http/1.1", 12), 0);
    assert_true(shakes(rig));
    SSL_get0_alpn_selected(rig->pair.there.ssl, &chosen, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\2h2", 3), 0);
    assert_false(shakes(rig));
    assert_int_equal(alert, ALERT_NO_PROTOCOL);
}

/* ---- Clients' certificates ---- */

static void shows(struct rig *rig, const struct tls_paper *issuer, int from_days, int until_days)
{
    struct tls_paper paper = {.cert = NULL};
    tls_paper_make(&paper, issuer, EVP_EC_gen("P-256"), from_days, until_days);
    SSL_CTX *ctx = client(rig);
    assert_int_equal(SSL_CTX_use_certificate(ctx, paper.cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, paper.key), 1);
    tls_paper_free(&paper);
    assert_true(shakes(rig)); /* a handshake is never refused for it */
}

static void a_client_is_who_has_one_of_our_authority(void **state)
{
    struct rig *rig = *state;
    takes(rig, &rig->server, rig->ca.cert_text);
    assert_true(tls_context_asks_clients(rig->context));
    shows(rig, &rig->ca, -1, 1);
    assert_true(tls_context_has_client(rig->pair.here.ssl));
    assert_int_equal(sk_X509_NAME_num(SSL_get_client_CA_list(rig->pair.there.ssl)), 1);
    client(rig);
    assert_true(shakes(rig));
    assert_false(tls_context_has_client(rig->pair.here.ssl));
}

static void one_of_another_authority_or_time_is_none(void **state)
{
    struct rig *rig = *state;
    takes(rig, &rig->server, rig->ca.cert_text);
    shows(rig, &rig->other_ca, -1, 1);
    assert_false(tls_context_has_client(rig->pair.here.ssl));
    shows(rig, NULL, -1, 1);
    assert_false(tls_context_has_client(rig->pair.here.ssl));
    shows(rig, &rig->ca, -2, -1);
    assert_false(tls_context_has_client(rig->pair.here.ssl));
    shows(rig, &rig->ca, 1, 2);
    assert_false(tls_context_has_client(rig->pair.here.ssl));
}

static void nobody_is_asked_without_an_authority(void **state)
{
    struct rig *rig = *state;
    takes(rig, &rig->server, NULL);
    assert_false(tls_context_asks_clients(rig->context));
    shows(rig, &rig->ca, -1, 1);
    assert_false(tls_context_has_client(rig->pair.here.ssl));
}

/* As many names are told as a client can read; more authorities are believed all the same. */
static void the_names_of_authorities_are_bounded(void **state)
{
    struct rig *rig = *state;
    static char many[(TLS_NAMES_MAX + 1) * TLS_RIG_TEXT_SIZE];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    size_t len = 0;
    for (int i = 0; i <= TLS_NAMES_MAX; i++) {
        const struct tls_paper *issuer = i == 0 ? NULL : &rig->ca;
        struct tls_paper paper = {.cert = NULL};
        (void)EVP_PKEY_up_ref(key);
        tls_paper_make(&paper, issuer, key, -1, 1);
        len += (size_t)snprintf(many + len, sizeof(many) - len, "%s", paper.cert_text);
        tls_paper_free(&paper);
    }
    EVP_PKEY_free(key);
    takes(rig, &rig->server, many);
    assert_true(tls_context_asks_clients(rig->context));
}

/* ---- Links ---- */

static void make_ring(struct seal_openssl *seal, struct keyring *ret_ring)
{
    struct keyring_items items = {.count = 1};
    memset(items.items[0].key, 7, sizeof(items.items[0].key));
    assert_int_equal(keyring_init(ret_ring, seal_openssl_ops(seal), "net", &items), RC_OK);
}

/* The other end dials a link now. */
static void dial(struct rig *rig, const struct psk_config *links)
{
    tls_pair_close(&rig->pair);
    tls_pair_open(&rig->pair, rig->context);
    SSL_free(rig->pair.there.ssl);
    rig->pair.there.ssl = NULL;
    SSL *dialler = tls_context_ssl(rig->context);
    assert_int_equal(psk_dial(dialler, links, links->ring->keys[0].id), RC_OK);
    SSL_set_info_callback(dialler, on_info);
    assert_int_equal(stream_secure(&rig->pair.there, dialler), RC_OK);
    alert = 0;
}

static void a_link_is_by_its_secret_or_refused(void **state)
{
    struct rig *rig = *state;
    struct seal_openssl *seal = seal_openssl_new();
    struct keyring ring = {0};
    make_ring(seal, &ring);
    const struct psk_config links = {.ring = &ring, .key_records_max = PSK_KEY_RECORDS_MAX};
    takes(rig, &rig->server, rig->ca.cert_text);
    for (int i = 0; i < 2; i++) {
        dial(rig, &links);
        assert_int_equal(tls_pair_shake(&rig->pair), i == 1);
        assert_int_equal(alert, i == 1 ? 0 : ALERT_NO_PROTOCOL);
        assert_int_equal(tls_context_kind(rig->pair.here.ssl), TLS_KIND_LINK);
        assert_int_equal(psk_link_key(rig->pair.here.ssl), i == 1 ? ring.keys[0].id : 0);
        tls_context_take_links(rig->context, &links);
    }
    /* Who asks for a link without its secret gets no certificate instead. */
    SSL_CTX *ctx = client(rig);
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x0f" PSK_ALPN, 16), 0);
    assert_false(shakes(rig));
    assert_null(SSL_get0_peer_certificate(rig->pair.there.ssl));
    tls_pair_free(&rig->pair);
    keyring_fini(&ring);
    seal_openssl_free(seal);
}

/* Who dials would else take it for a node without the secret, and try other ways. */
static void for_want_of_memory_a_link_is_refused_as_that(void **state)
{
    struct rig *rig = *state;
    struct seal_openssl *seal = seal_openssl_new();
    struct keyring ring = {0};
    make_ring(seal, &ring);
    const struct psk_config links = {.ring = &ring, .key_records_max = PSK_KEY_RECORDS_MAX};
    tls_context_take_links(rig->context, &links);
    dial(rig, &links);
    failing_alloc_arm(0, false);
    assert_false(tls_pair_shake(&rig->pair));
    failing_alloc_recover();
    assert_int_equal(alert, ALERT_INTERNAL_ERROR);
    dial(rig, &links);
    assert_true(tls_pair_shake(&rig->pair));
    tls_pair_free(&rig->pair);
    keyring_fini(&ring);
    seal_openssl_free(seal);
}

/* ---- Without memory ---- */

static void story(void *arg)
{
    struct rig *rig = arg;
    const struct tls_pem pem = tls_pem_of(rig->server.cert_text, rig->server.key_text, NULL);
    struct tls_context *context = tls_context_new();
    if (context == NULL) {
        assert_true(failing_alloc_has_failed());
        return;
    }
    const enum rc rc = tls_context_load(context, &pem, &rig->fault);
    assert_true(rc == RC_OK || (rc == RC_NO_MEMORY && failing_alloc_has_failed()));
    assert_int_equal(tls_context_is_serving(context), rc == RC_OK);
    SSL *ssl = tls_context_acceptor(context);
    assert_true(ssl != NULL || failing_alloc_has_failed());
    SSL_free(ssl);
    tls_context_free(context);
}

static void without_memory_nothing_is_half_made(void **state)
{
    assert_int_equal(failing_alloc_each(story, *state), 2 * 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_certificate_https_is_refused),
        TEST(what_is_no_good_is_refused_with_its_reason),
        TEST(a_small_rsa_key_is_refused),
        TEST(dates_are_told_and_not_judged),
        TEST(the_chain_is_sent_with_it),
        TEST(those_that_are_open_go_on_after_a_swap),
        TEST(older_versions_and_weak_suites_are_refused),
        TEST(nobody_handshakes_twice),
        TEST(a_ticket_is_good_until_a_swap),
        TEST(of_http_only_1_1_is_spoken),
        TEST(a_client_is_who_has_one_of_our_authority),
        TEST(one_of_another_authority_or_time_is_none),
        TEST(nobody_is_asked_without_an_authority),
        TEST(the_names_of_authorities_are_bounded),
        TEST(a_link_is_by_its_secret_or_refused),
        TEST(for_want_of_memory_a_link_is_refused_as_that),
        TEST(without_memory_nothing_is_half_made),
    };
#undef TEST
    return cmocka_run_group_tests(tests, make_papers, free_papers);
}
