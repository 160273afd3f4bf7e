#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/crypto/psk.h"
#include "net/crypto/seal_openssl.h"
#include "tests/unit/failing_alloc.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MAX = 20, HANDSHAKE_TYPE_KEY_UPDATE = 24, DAYS_S = 86400 };

/* Two ends of TLS over memory. That which accepts has a certificate, as for HTTPS. */
struct pair {
    struct seal_openssl *seal;
    struct keyring here, there; /* of who dials, and of who accepts */
    uint32_t key_records_max;
    SSL_CTX *ctx; /* of both ends */
    SSL *dialer, *acceptor;
    bool is_alpn_for_all; /* the acceptor agrees to ALPN without the rest of a link */
    size_t tickets, key_updates;
};

static struct keyring_items items_of(uint8_t first, uint8_t count)
{
    struct keyring_items items = {.count = count};
    for (uint8_t i = 0; i < count; i++) {
        memset(items.items[i].key, first + i, SEAL_KEY_BYTES);
    }
    return items;
}

static void make_ring(struct pair *p, struct keyring *ring, uint8_t first, uint8_t count)
{
    const struct keyring_items items = items_of(first, count);
    keyring_fini(ring);
    assert_int_equal(keyring_init(ring, seal_openssl_ops(p->seal), "net", &items), RC_OK);
}

static struct psk_config config_of(const struct pair *p, const struct keyring *ring)
{
    return (struct psk_config){.ring = ring, .key_records_max = p->key_records_max};
}

/* ---- What the one context of a node does ---- */

static int on_client_hello(SSL *ssl, int *ret_alert, void *arg)
{
    const struct pair *p = arg;
    const struct psk_config config = config_of(p, &p->there);
    (void)ret_alert;
    if (ssl == p->acceptor && psk_is_asked(ssl) && !p->is_alpn_for_all) {
        assert_int_equal(psk_accept(ssl, &config), RC_OK);
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
                   const unsigned char *list, unsigned int len, void *arg)
{
    (void)ssl;
    (void)arg;
    *ret_len = list[0];
    *ret_name = list + 1;
    return len == 1U + list[0] ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct pair *p = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    (void)session;
    p->tickets += ssl == p->dialer;
    return 0;
}

static void on_message(int is_written, int version, int type, const void *data, size_t len,
                       SSL *ssl, void *arg)
{
    struct pair *p = arg;
    (void)version;
    (void)ssl;
    p->key_updates += is_written != 0 && type == SSL3_RT_HANDSHAKE && len > 0 &&
                      ((const uint8_t *)data)[0] == HANDSHAKE_TYPE_KEY_UPDATE;
}

static void certify(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    assert_non_null(cert);
    assert_int_equal(X509_set_version(cert, 2), 1);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), DAYS_S);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int setup(void **state)
{
    struct pair *p = calloc(1, sizeof(*p));
    p->seal = seal_openssl_new();
    p->key_records_max = PSK_KEY_RECORDS_MAX;
    make_ring(p, &p->here, 1, 1);
    make_ring(p, &p->there, 1, 1);
    p->ctx = SSL_CTX_new(TLS_method());
    SSL_CTX_set_app_data(p->ctx, p);
    SSL_CTX_set_client_hello_cb(p->ctx, on_client_hello, p);
    SSL_CTX_set_session_id_context(p->ctx, (const unsigned char *)"https", 5);
    SSL_CTX_set_alpn_select_cb(p->ctx, on_alpn, p);
    SSL_CTX_set_session_cache_mode(p->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(p->ctx, on_ticket);
    certify(p->ctx);
    *state = p;
    return 0;
}

static void hang_up(struct pair *p)
{
    SSL_free(p->dialer);
    SSL_free(p->acceptor);
    p->dialer = p->acceptor = NULL;
    ERR_clear_error();
}

static int teardown(void **state)
{
    struct pair *p = *state;
    hang_up(p);
    SSL_CTX_free(p->ctx);
    keyring_fini(&p->here);
    keyring_fini(&p->there);
    seal_openssl_free(p->seal);
    free(p);
    return 0;
}

static BIO *memory(void)
{
    BIO *bio = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(bio, -1);
    return bio;
}

/* Two ends that have said nothing yet; the dialer is one of HTTPS still. */
static void connect_ends(struct pair *p)
{
    BIO *there = memory(), *back = memory();
    hang_up(p);
    p->dialer = SSL_new(p->ctx);
    p->acceptor = SSL_new(p->ctx);
    SSL_set_connect_state(p->dialer);
    SSL_set_accept_state(p->acceptor);
    BIO_up_ref(there);
    BIO_up_ref(back);
    SSL_set_bio(p->dialer, back, there);
    SSL_set_bio(p->acceptor, there, back);
}

static void dial(struct pair *p)
{
    const struct psk_config config = config_of(p, &p->here);
    connect_ends(p);
    assert_int_equal(psk_dial(p->dialer, &config, p->here.keys[0].id), RC_OK);
}

/* Whether both ends have finished. */
static bool shake_hands(struct pair *p)
{
    int here = 0, there = 0;
    for (int i = 0; i < ROUNDS_MAX && (here != 1 || there != 1); i++) {
        here = SSL_do_handshake(p->dialer);
        there = SSL_do_handshake(p->acceptor);
    }
    ERR_clear_error();
    return here == 1 && there == 1;
}

/* Neither end takes it for a link. */
static void assert_no_link(const struct pair *p)
{
    assert_int_equal(psk_link_key(p->dialer), 0);
    assert_int_equal(psk_link_key(p->acceptor), 0);
}

static void assert_link(const struct pair *p, uint16_t key_id)
{
    assert_int_not_equal(key_id, 0);
    assert_int_equal(psk_link_key(p->dialer), key_id);
    assert_int_equal(psk_link_key(p->acceptor), key_id);
}

/* A dialer that says ALPN as a link does and is none of ours. */
static void say_alpn(SSL *ssl)
{
    static const unsigned char alpn[] = "\x0f" PSK_ALPN;
    assert_int_equal(SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1), 0);
}

/* ---- Links ---- */

static int suites_of(SSL *ssl)
{
    STACK_OF(SSL_CIPHER) *suites = SSL_get1_supported_ciphers(ssl);
    const int count = sk_SSL_CIPHER_num(suites);
    sk_SSL_CIPHER_free(suites);
    return count;
}

static void who_has_the_same_key_is_a_link(void **state)
{
    struct pair *p = *state;
    dial(p);
    assert_no_link(p); /* before the handshake */
    assert_true(shake_hands(p));
    assert_link(p, p->here.keys[0].id);
    assert_string_equal(SSL_get_cipher_name(p->acceptor), "TLS_AES_256_GCM_SHA384");
    assert_int_equal(SSL_version(p->acceptor), TLS1_3_VERSION);
    assert_int_equal(SSL_get_shared_group(p->acceptor, 0), NID_X25519);
    assert_null(SSL_get0_peer_certificate(p->dialer));
    assert_int_equal(suites_of(p->dialer), 1);
    assert_int_equal(suites_of(p->acceptor), 1);
}

static void the_key_that_the_dialer_names_is_found_among_four(void **state)
{
    struct pair *p = *state;
    make_ring(p, &p->here, 3, 1);
    make_ring(p, &p->there, 1, 4);
    dial(p);
    assert_true(shake_hands(p));
    assert_link(p, p->there.keys[2].id);
}

static void a_key_that_the_ring_has_not_cannot_be_dialed_with(void **state)
{
    struct pair *p = *state;
    const struct psk_config config = config_of(p, &p->here);
    const uint16_t strange = (uint16_t)(p->here.keys[0].id ^ 1);
    connect_ends(p);
    assert_int_equal(psk_dial(p->dialer, &config, strange), RC_NOT_FOUND);
    assert_int_equal(psk_dial(p->dialer, &config, KEYRING_ID_OPEN), RC_NOT_FOUND);
    assert_false(psk_is_set(p->dialer));
}

/* ---- What is no link ---- */

static void dialler_refuses_certificate_in_place_of_psk(void **state)
{
    struct pair *p = *state;
    p->is_alpn_for_all = true;
    dial(p);
    assert_true(shake_hands(p)); /* TLS has nothing against it */
    assert_int_equal(psk_link_key(p->dialer), 0);
}

static void psk_unknown_identity(void **state)
{
    struct pair *p = *state;
    make_ring(p, &p->there, 2, 1);
    dial(p);
    assert_true(shake_hands(p));
    assert_no_link(p);
}

static void the_id_of_a_key_without_the_key_is_no_link(void **state)
{
    struct pair *p = *state;
    make_ring(p, &p->there, 2, 1);
    p->there.keys[0].id = p->here.keys[0].id;
    dial(p);
    assert_false(shake_hands(p));
    assert_no_link(p);
}

static const struct pair *foreign; /* whose dialer the two callbacks below serve */

/* A session with the right key for SHA-256's suite. */
static int on_wrong_hash(SSL *ssl, const EVP_MD *md, const unsigned char **ret_identity,
                         size_t *ret_len, SSL_SESSION **ret_session)
{
    static const uint8_t suite[] = {0x13, 0x01};
    static char identity[32];
    uint8_t key[SEAL_LINK_BYTES];
    (void)md;
    assert_int_equal(keyring_link_psk(&foreign->here, foreign->here.keys[0].id, key), RC_OK);
    *ret_session = SSL_SESSION_new();
    assert_int_equal(SSL_SESSION_set1_master_key(*ret_session, key, sizeof(key)), 1);
    assert_int_equal(SSL_SESSION_set_cipher(*ret_session, SSL_CIPHER_find(ssl, suite)), 1);
    assert_int_equal(SSL_SESSION_set_protocol_version(*ret_session, TLS1_3_VERSION), 1);
    (void)snprintf(identity, sizeof(identity), "repram/1/%04x", foreign->here.keys[0].id);
    *ret_identity = (const unsigned char *)identity;
    *ret_len = strlen(identity);
    return 1;
}

static unsigned int on_old_callback(SSL *ssl, const char *hint, char *ret_identity,
                                    unsigned int identity_size, unsigned char *ret_key,
                                    unsigned int key_size)
{
    uint8_t key[SEAL_LINK_BYTES];
    (void)ssl;
    (void)hint;
    assert_true(key_size >= sizeof(key));
    assert_int_equal(keyring_link_psk(&foreign->here, foreign->here.keys[0].id, key), RC_OK);
    memcpy(ret_key, key, sizeof(key));
    (void)snprintf(ret_identity, identity_size, "repram/1/%04x", foreign->here.keys[0].id);
    return sizeof(key);
}

static void psk_of_wrong_hash_is_no_link(void **state)
{
    struct pair *p = *state;
    foreign = p;
    for (int is_old = 0; is_old < 2; is_old++) {
        connect_ends(p);
        say_alpn(p->dialer);
        if (is_old) {
            SSL_set_psk_client_callback(p->dialer, on_old_callback);
        } else {
            SSL_set_psk_use_session_callback(p->dialer, on_wrong_hash);
        }
        (void)shake_hands(p);
        assert_no_link(p);
    }
}

/* The right key as we offer it, by a dialer that sets what it likes. */
static void dial_as(struct pair *p, void (*spoil)(SSL *ssl))
{
    dial(p);
    spoil(p->dialer);
}

static void without_dhe(SSL *ssl)
{
    SSL_set_options(ssl, SSL_OP_ALLOW_NO_DHE_KEX);
    assert_int_equal(SSL_set1_groups_list(ssl, "P-256"), 1);
}

static void psk_without_dhe(void **state)
{
    struct pair *p = *state;
    dial_as(p, without_dhe);
    assert_false(shake_hands(p));
    assert_no_link(p);
}

static void with_tls12(SSL *ssl)
{
    assert_int_equal(SSL_set_min_proto_version(ssl, TLS1_2_VERSION), 1);
    assert_int_equal(SSL_set_max_proto_version(ssl, TLS1_2_VERSION), 1);
    assert_int_equal(SSL_set1_groups_list(ssl, "X25519:P-256"), 1);
}

static void tls12_on_link(void **state)
{
    struct pair *p = *state;
    dial_as(p, with_tls12);
    assert_false(shake_hands(p));
    assert_no_link(p);
}

static int on_early_offer(SSL *ssl, const EVP_MD *md, const unsigned char **ret_identity,
                          size_t *ret_len, SSL_SESSION **ret_session)
{
    static const uint8_t suite[] = {0x13, 0x02};
    static char identity[32];
    (void)on_wrong_hash(ssl, md, ret_identity, ret_len, ret_session);
    memcpy(identity, *ret_identity, *ret_len);
    *ret_identity = (const unsigned char *)identity;
    assert_int_equal(SSL_SESSION_set_cipher(*ret_session, SSL_CIPHER_find(ssl, suite)), 1);
    assert_int_equal(SSL_SESSION_set_max_early_data(*ret_session, PSK_RECORD_BYTES), 1);
    return 1;
}

/* What is said before the handshake could be a replay: nobody hears it. */
static void early_data(void **state)
{
    struct pair *p = *state;
    size_t len = 0;
    uint8_t heard[16];
    foreign = p;
    connect_ends(p);
    say_alpn(p->dialer);
    SSL_set_psk_use_session_callback(p->dialer, on_early_offer);
    assert_int_equal(SSL_write_early_data(p->dialer, "hello", 5, &len), 1);
    (void)shake_hands(p);
    assert_int_not_equal(SSL_get_early_data_status(p->dialer), SSL_EARLY_DATA_ACCEPTED);
    assert_int_not_equal(SSL_get_early_data_status(p->acceptor), SSL_EARLY_DATA_ACCEPTED);
    assert_true(SSL_read(p->acceptor, heard, sizeof(heard)) <= 0);
}

/* Dials with what another handshake has left. A session is good for one. */
static bool resume(struct pair *p, const SSL_SESSION *left, bool is_for_link)
{
    SSL_SESSION *session = SSL_SESSION_dup(left);
    connect_ends(p);
    if (is_for_link) {
        say_alpn(p->dialer);
    }
    assert_int_equal(SSL_set_session(p->dialer, session), 1);
    SSL_SESSION_free(session);
    const bool is_over = shake_hands(p);
    SSL_set_shutdown(p->dialer, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    return is_over && SSL_session_reused(p->acceptor) == 1;
}

/* HTTPS gives tickets to whoever comes, and one of these resumes a session, too. */
static void a_ticket_of_https_is_no_link(void **state)
{
    struct pair *p = *state;
    uint8_t none[1];
    connect_ends(p);
    assert_true(shake_hands(p));
    (void)SSL_read(p->dialer, none, sizeof(none));
    assert_true(p->tickets > 0);
    SSL_SESSION *session = SSL_get1_session(p->dialer);
    SSL_set_shutdown(p->dialer, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    assert_true(resume(p, session, false));
    (void)resume(p, session, true);
    assert_no_link(p);
    SSL_SESSION_free(session);
}

static void links_give_no_tickets(void **state)
{
    struct pair *p = *state;
    uint8_t none[1];
    dial(p);
    assert_true(shake_hands(p));
    (void)SSL_read(p->dialer, none, sizeof(none));
    assert_int_equal(p->tickets, 0);
}

static void https_is_not_asked_for_a_link(void **state)
{
    struct pair *p = *state;
    connect_ends(p);
    assert_true(shake_hands(p));
    assert_false(psk_is_set(p->acceptor));
    assert_no_link(p);
}

/* ---- Sending keys ---- */

static void pass(struct pair *p, size_t len)
{
    static uint8_t sent[2 * PSK_RECORD_BYTES], taken[2 * PSK_RECORD_BYTES];
    size_t at = 0, got = 0;
    memset(sent, (int)(len & 0xff), len);
    assert_int_equal(SSL_write(p->dialer, sent, (int)len), len);
    psk_wrote(p->dialer, len);
    while (at < len && SSL_read_ex(p->acceptor, taken + at, len - at, &got) == 1) {
        at += got;
    }
    assert_int_equal(at, len);
    assert_memory_equal(sent, taken, len);
}

static void key_update_at_100_writes(void **state)
{
    struct pair *p = *state;
    p->key_records_max = 100;
    dial(p);
    SSL_set_msg_callback(p->dialer, on_message);
    SSL_set_msg_callback_arg(p->dialer, p);
    assert_true(shake_hands(p));
    for (size_t i = 1; i <= 350; i++) {
        pass(p, i);
        assert_int_equal(p->key_updates, i / 100);
    }
}

static void a_long_write_counts_as_the_records_that_it_takes(void **state)
{
    struct pair *p = *state;
    p->key_records_max = 4;
    dial(p);
    SSL_set_msg_callback(p->dialer, on_message);
    SSL_set_msg_callback_arg(p->dialer, p);
    assert_true(shake_hands(p));
    pass(p, PSK_RECORD_BYTES + 1);
    pass(p, PSK_RECORD_BYTES);
    assert_int_equal(p->key_updates, 0);
    pass(p, 1);
    assert_int_equal(p->key_updates, 1);
}

static void an_end_of_https_counts_nothing(void **state)
{
    struct pair *p = *state;
    connect_ends(p);
    SSL_set_msg_callback(p->dialer, on_message);
    SSL_set_msg_callback_arg(p->dialer, p);
    assert_true(shake_hands(p));
    psk_wrote(p->dialer, SIZE_MAX / 2);
    pass(p, 1);
    assert_int_equal(p->key_updates, 0);
}

/* ---- No memory ---- */

static void begin_a_link(void *arg)
{
    struct pair *p = arg;
    const struct psk_config here = config_of(p, &p->here), there = config_of(p, &p->there);
    SSL *dialer = SSL_new(p->ctx), *acceptor = SSL_new(p->ctx);
    if (dialer != NULL && acceptor != NULL) {
        const enum rc dialed = psk_dial(dialer, &here, p->here.keys[0].id);
        const enum rc accepted = psk_accept(acceptor, &there);
        const bool is_short = dialed == RC_NO_MEMORY || accepted == RC_NO_MEMORY;
        assert_int_equal(psk_is_set(dialer), dialed == RC_OK);
        assert_int_equal(psk_is_set(acceptor), accepted == RC_OK);
        assert_int_equal(is_short, failing_alloc_has_failed());
    }
    SSL_free(dialer);
    SSL_free(acceptor);
}

static void without_memory_there_is_no_link(void **state)
{
    assert_true(failing_alloc_each(begin_a_link, *state) >= 2);
}

static void a_protocol_is_found_in_a_list_by_its_whole_name(void **state)
{
    (void)state;
    static const struct {
        const char *names;
        size_t len;
        bool is_there;
    } lists[] = {
        {"", 0, false},         {"\2h2", 3, true},       {"\3foo\2h2", 7, true},
        {"\2h2\3foo", 7, true}, {"\3h2x", 4, false},     {"\1h\0012", 4, false},
        {"\2h2", 2, false},     {"\3foo\2h2", 6, false}, {"\0\2h2", 4, true},
        {"\0", 1, false},       {"\377h2", 3, false},
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        /* In a block of its own length, where the sanitizers see what is read behind it. */
        uint8_t *names = malloc(lists[i].len + 1);
        memcpy(names + 1, lists[i].names, lists[i].len);
        assert_int_equal(psk_lists(names + 1, lists[i].len, "h2"), lists[i].is_there);
        free(names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_protocol_is_found_in_a_list_by_its_whole_name),
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(who_has_the_same_key_is_a_link),
        TEST(the_key_that_the_dialer_names_is_found_among_four),
        TEST(a_key_that_the_ring_has_not_cannot_be_dialed_with),
        TEST(dialler_refuses_certificate_in_place_of_psk),
        TEST(psk_unknown_identity),
        TEST(the_id_of_a_key_without_the_key_is_no_link),
        TEST(psk_of_wrong_hash_is_no_link),
        TEST(psk_without_dhe),
        TEST(tls12_on_link),
        TEST(early_data),
        TEST(a_ticket_of_https_is_no_link),
        TEST(links_give_no_tickets),
        TEST(https_is_not_asked_for_a_link),
        TEST(key_update_at_100_writes),
        TEST(a_long_write_counts_as_the_records_that_it_takes),
        TEST(an_end_of_https_counts_nothing),
        TEST(without_memory_there_is_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
