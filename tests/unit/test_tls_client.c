#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "net/out/fetch.h"
#include "net/out/tls_client.h"
#include "own_clock.h"
#include "patience.h"
#include "tls_server.h"

static struct tls_server rig;
static struct tls_client *trust; /* of the case */

struct outcome {
    enum rc rc;
    bool was_sent, is_done;
    int status;
    char error[256];
};

static void on_done(void *arg, const struct fetch_answer *answer)
{
    struct outcome *outcome = arg;
    outcome->rc = answer->rc;
    outcome->was_sent = answer->was_sent;
    outcome->status = answer->status;
    outcome->is_done = true;
    (void)snprintf(outcome->error, sizeof(outcome->error), "%s", answer->error);
}

/* Trusts and shows these files; NULL and a reason where that cannot be. */
static const char *use(const char *ca, const char *cert, const char *key)
{
    static char why[256];
    const struct tls_client_files files = {.ca = ca, .cert = cert, .key = key};
    tls_client_free(trust);
    trust = tls_client_new(&files, why, sizeof(why));
    return trust != NULL ? NULL : why;
}

static struct outcome ask(const char *host, uint16_t port, const void *body, size_t body_len)
{
    struct outcome outcome = {.is_done = false};
    const struct fetch_request request = {.method = body != NULL ? "PUT" : "GET",
                                          .host = host,
                                          .port = port,
                                          .is_tls = true,
                                          .tls = trust,
                                          .target = "/",
                                          .body = body,
                                          .body_len = body_len,
                                          .timeout_ms = 5000,
                                          .bytes_max = 1024};
    const uint64_t until_ms = patience_begins();
    assert_non_null(fetch_start(rig.base, NULL, &request, on_done, &outcome));
    while (!outcome.is_done && patience_lasts(until_ms)) {
        (void)event_base_loop(rig.base, EVLOOP_NONBLOCK);
    }
    assert_true(outcome.is_done);
    return outcome;
}

static struct outcome get(const char *host, uint16_t port)
{
    return ask(host, port, NULL, 0);
}

static int setup(void **state)
{
    (void)state;
    tls_server_init(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tls_client_free(trust);
    tls_server_fini(&rig);
    return 0;
}

/* Each case begins with the good server, and the authority that signed it. */
static int begin(void **state)
{
    (void)state;
    tls_server_be(&rig, &rig.good, false);
    assert_null(use(rig.authority.file, NULL, NULL));
    return 0;
}

static void a_server_that_proves_its_name_or_its_address_is_talked_to(void **state)
{
    (void)state;
    struct outcome outcome = get("localhost", rig.port);
    assert_string_equal(outcome.error, "");
    assert_int_equal(outcome.status, 200);
    assert_int_equal(get("127.0.0.1", rig.port).status, 200);
    assert_string_equal(rig.peer, "");
}

static void refused(const struct outcome *outcome, const char *words)
{
    assert_int_equal(outcome->rc, RC_IO);
    assert_false(outcome->was_sent);
    assert_non_null(strstr(outcome->error, words));
}

static void who_is_signed_by_nobody_that_is_trusted_is_sent_nothing(void **state)
{
    (void)state;
    const unsigned before = rig.answered;
    assert_null(use(rig.other_authority.file, NULL, NULL));
    struct outcome outcome = get("localhost", rig.port);
    refused(&outcome, "certificate refused: ");
    refused(&outcome, "; no authority that is trusted here has signed it");
    assert_null(use(NULL, NULL, NULL)); /* the system's */
    outcome = get("localhost", rig.port);
    refused(&outcome, "; no authority that is trusted here has signed it");
    tls_client_free(trust);
    trust = NULL; /* the system's too */
    outcome = get("localhost", rig.port);
    refused(&outcome, "; no authority that is trusted here has signed it");
    assert_int_equal(rig.answered, before);
}

static void a_certificate_for_another_name_or_of_another_time_is_refused(void **state)
{
    (void)state;
    tls_server_be(&rig, &rig.foreign, false);
    struct outcome outcome = get("localhost", rig.port);
    assert_string_equal(outcome.error,
                        "certificate refused: it is for example.org, not for localhost: name the "
                        "server as the certificate does, or have DNS:localhost put into it "
                        "(subjectAltName)");
    refused(&outcome, "certificate refused: ");
    outcome = get("127.0.0.1", rig.port);
    refused(&outcome, "certificate refused: it is for example.org, not for 127.0.0.1: name the "
                      "server as the certificate does, or have IP:127.0.0.1 put into it "
                      "(subjectAltName)");
    tls_server_be(&rig, &rig.expired, false);
    outcome = get("localhost", rig.port);
    refused(&outcome, "certificate refused: certificate has expired by this host's clock");
}

static void names_that_fit_no_line_are_not_taken_for_none(void **state)
{
    struct tls_identity long_named, nameless;
    (void)state;
    tls_identity_make(&long_named, &rig, "long",
                      "DNS:a-host-whose-name-is-as-long-as-a-label-may-be.and-another-one-behind-"
                      "it-that-is-long.example.org",
                      TLS_DAY_S, &rig.authority);
    tls_identity_make(&nameless, &rig, "nameless", NULL, TLS_DAY_S, &rig.authority);
    tls_server_be(&rig, &long_named, false);
    struct outcome outcome = get("localhost", rig.port);
    refused(&outcome, "it is for a long name, not for localhost: ");
    tls_server_be(&rig, &nameless, false);
    outcome = get("localhost", rig.port);
    refused(&outcome, "it is for no host, not for localhost: ");
    tls_identity_free(&long_named);
    tls_identity_free(&nameless);
}

static void a_certificate_of_ones_own_is_shown_to_who_asks(void **state)
{
    (void)state;
    tls_server_be(&rig, &rig.good, true);
    struct outcome outcome = get("localhost", rig.port);
    assert_int_equal(outcome.rc, RC_IO);
    assert_string_equal(outcome.error, "TLS: the server asks for a certificate");
    /* The key in the certificate's file, and in one of its own. */
    assert_null(use(rig.authority.file, rig.client.file, NULL));
    assert_int_equal(get("localhost", rig.port).status, 200);
    assert_string_equal(rig.peer, "client");
    rig.peer[0] = '\0';
    assert_null(use(rig.authority.file, rig.client.file, rig.client.file));
    assert_int_equal(get("localhost", rig.port).status, 200);
    assert_string_equal(rig.peer, "client");
}

static void a_server_without_a_certificate_is_told_as_that(void **state)
{
    (void)state;
    SSL_CTX_free(rig.ctx);
    rig.ctx = SSL_CTX_new(TLS_server_method());
    const struct outcome outcome = get("localhost", rig.port);
    refused(&outcome, "TLS: the server has no certificate, or agrees to nothing");
}

static void the_refusal_of_a_large_body_is_read_although_nobody_takes_the_body(void **state)
{
    const size_t len = (size_t)2 << 20;
    char *body = mem_new(len, 1);
    (void)state;
    rig.refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    const struct outcome outcome = ask("127.0.0.1", rig.port, body, len);
    rig.refusal = NULL;
    assert_string_equal(outcome.error, "");
    assert_int_equal(outcome.status, 413);
    free(body);
}

static void on_plain(struct bufferevent *bev, void *arg)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    (void)arg;
    (void)bufferevent_write(bev, answer, sizeof(answer) - 1);
}

static void on_plain_accept(struct evconnlistener *listener, evutil_socket_t fd,
                            struct sockaddr *from, int len, void *arg)
{
    struct bufferevent **bev = arg;
    (void)listener;
    (void)from;
    (void)len;
    *bev = bufferevent_socket_new(rig.base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(*bev, on_plain, NULL, NULL, NULL);
    (void)bufferevent_enable(*bev, EV_READ | EV_WRITE);
}

static void who_does_not_speak_tls_is_told_apart(void **state)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof(sin);
    struct bufferevent *bev = NULL;
    (void)state;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct evconnlistener *listener =
        evconnlistener_new_bind(rig.base, on_plain_accept, &bev, LEV_OPT_CLOSE_ON_FREE, 8,
                                (const struct sockaddr *)&sin, sizeof(sin));
    assert_non_null(listener);
    assert_int_equal(getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&sin, &len),
                     0);
    const struct outcome outcome = get("127.0.0.1", ntohs(sin.sin_port));
    refused(&outcome, "TLS: what answers there does not speak TLS");
    bufferevent_free(bev);
    evconnlistener_free(listener);
}

static void files_that_are_none_are_refused_with_their_name(void **state)
{
    char empty[TLS_PATH_SIZE], text[TLS_PATH_SIZE * 2];
    (void)state;
    (void)snprintf(empty, sizeof(empty), "%s/empty", rig.folder);
    FILE *file = fopen(empty, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(use("/none/at all", NULL, NULL), "/none/at all: No such file or directory");
    (void)snprintf(text, sizeof(text), "%s: it holds no certificate in PEM", empty);
    assert_string_equal(use(empty, NULL, NULL), text);
    assert_string_equal(use(NULL, empty, NULL), text);
    (void)snprintf(text, sizeof(text),
                   "%s: it holds no key in PEM that can be read without a passphrase", empty);
    assert_string_equal(use(NULL, rig.client.file, empty), text);
    (void)snprintf(text, sizeof(text), "%s: the key is not the certificate's", rig.good.file);
    assert_string_equal(use(NULL, rig.client.file, rig.good.file), text);
    assert_int_equal(ERR_peek_error(), 0);
    (void)unlink(empty);
}

static void a_key_with_a_passphrase_is_refused_without_a_question(void **state)
{
    char path[TLS_PATH_SIZE], text[TLS_PATH_SIZE * 2];
    unsigned char word[] = "secret";
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/locked", rig.folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, rig.client.key, EVP_aes_128_cbc(), word,
                                          sizeof(word) - 1, NULL, NULL),
                     1);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(text, sizeof(text),
                   "%s: it holds no key in PEM that can be read without a passphrase", path);
    assert_string_equal(use(NULL, rig.client.file, path), text);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_server_that_proves_its_name_or_its_address_is_talked_to, begin),
        cmocka_unit_test_setup(who_is_signed_by_nobody_that_is_trusted_is_sent_nothing, begin),
        cmocka_unit_test_setup(a_certificate_for_another_name_or_of_another_time_is_refused, begin),
        cmocka_unit_test_setup(names_that_fit_no_line_are_not_taken_for_none, begin),
        cmocka_unit_test_setup(a_certificate_of_ones_own_is_shown_to_who_asks, begin),
        cmocka_unit_test_setup(the_refusal_of_a_large_body_is_read_although_nobody_takes_the_body,
                               begin),
        cmocka_unit_test_setup(a_server_without_a_certificate_is_told_as_that, begin),
        cmocka_unit_test_setup(who_does_not_speak_tls_is_told_apart, begin),
        cmocka_unit_test_setup(files_that_are_none_are_refused_with_their_name, begin),
        cmocka_unit_test_setup(a_key_with_a_passphrase_is_refused_without_a_question, begin),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
