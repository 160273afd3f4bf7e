#include "cmd/base/output.h"

#include "cmd/base/exit_code.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* errno of the first write that failed; 0: none. */
static int lost;

static bool is_colored;

static bool has_progress; /* a line of it is shown */

/* A parent may have made the descriptor one that does not wait. */
static void wait_for_room(void)
{
    struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
    (void)poll(&room, 1, -1);
}

static ssize_t write_all(void *cookie, const char *data, size_t len)
{
    size_t done = 0;
    (void)cookie;
    while (done < len && lost == 0) {
        const ssize_t n = write(STDOUT_FILENO, data + done, len - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            wait_for_room();
        } else if (errno != EINTR) {
            lost = errno;
        }
    }
    return lost == 0 ? (ssize_t)len : 0;
}

/* Opened the wrong way round, so that its use fails as that of a closed descriptor does: a value
 * that was to be read is no empty value. */
static void fill_closed(int fd)
{
    if (fcntl(fd, F_GETFD) < 0) {
        (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

void output_begin(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        fill_closed(fd);
    }
    FILE *out = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_all});
    if (out != NULL) {
        (void)setvbuf(out, NULL, output_is_terminal() ? _IOLBF : _IOFBF, BUFSIZ);
        stdout = out;
    }
    /* For the widths of characters (plain_width), which a locale without UTF-8 does not know. */
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    if (output_set_color("auto") != RC_OK) {
        is_colored = false;
    }
}

bool output_flush(void)
{
    if (fflush(stdout) != 0 && lost == 0) {
        lost = errno;
    }
    return lost == 0;
}

int output_end(int code)
{
    if (output_flush()) {
        return code;
    }
    if (lost != EPIPE) {
        output_progress_end();
        (void)fprintf(stderr, "repram: cannot write the output: %s\n", strerror(lost));
    }
    return code == EXIT_CODE_OK ? EXIT_CODE_FAILED : code;
}

bool output_is_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

size_t output_columns(void)
{
    enum { COLUMNS = 80, COLUMNS_MIN = 20 };
    struct winsize size;
    const int fd = output_is_terminal() ? STDOUT_FILENO : STDERR_FILENO;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col < COLUMNS_MIN) {
        return COLUMNS;
    }
    return size.ws_col;
}

enum rc output_set_color(const char *when)
{
    const char *refused = getenv("NO_COLOR"); /* no-color.org: set and not empty */
    const char *terminal = getenv("TERM");
    if (strcmp(when, "auto") == 0) {
        is_colored = output_is_terminal() && (refused == NULL || *refused == '\0') &&
                     (terminal == NULL || strcmp(terminal, "dumb") != 0);
    } else if (strcmp(when, "always") == 0) {
        is_colored = true;
    } else if (strcmp(when, "never") == 0) {
        is_colored = false;
    } else {
        return RC_MALFORMED;
    }
    return RC_OK;
}

const char *output_tint(enum output_tint tint)
{
    static const char *const sequences[TINT_COUNT] = {
        [TINT_NONE] = "\033[0m",      [TINT_BOLD] = "\033[1m", [TINT_GOOD] = "\033[32m",
        [TINT_DOUBTFUL] = "\033[33m", [TINT_BAD] = "\033[31m",
    };
    return is_colored ? sequences[tint] : "";
}

static void clear_line(void)
{
    (void)fputs("\r\033[K", stderr);
}

void output_progress_begin(void)
{
    clear_line();
    has_progress = true;
}

void output_progress_end(void)
{
    if (has_progress) {
        clear_line();
        (void)fflush(stderr);
        has_progress = false;
    }
}

static bool is_gone_after(int ms)
{
    struct pollfd reader = {.fd = STDOUT_FILENO};
    return poll(&reader, 1, ms) == 1;
}

bool output_has_reader(void)
{
    return !is_gone_after(0);
}

void output_pause(unsigned ms)
{
    (void)is_gone_after((int)ms);
}
