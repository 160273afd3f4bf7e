#include "cmd/settings/config_file.h"

#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* At once for a file; of a FIFO until a writer has written or gone. Before the first writer it
 * would be read as empty. */
static enum rc await_data(int fd, int wait_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int count = 0;
    do {
        count = poll(&ready, 1, wait_ms);
    } while (count < 0 && errno == EINTR);
    return count == 0 ? RC_TIMEOUT : (count < 0 ? RC_IO : RC_OK);
}

static enum rc read_all(int fd, int wait_ms, size_t size_max, char *text, size_t *ret_len)
{
    size_t len = 0;
    for (;;) {
        const enum rc rc = await_data(fd, wait_ms);
        if (rc != RC_OK) {
            return rc;
        }
        const ssize_t n = read(fd, text + len, size_max + 1 - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return RC_IO;
        }
        if (n == 0) {
            *ret_len = len;
            return RC_OK;
        }
        len += (size_t)n;
        if (len > size_max) {
            return RC_TOO_LONG;
        }
    }
}

static enum rc read_file(const char *path, int wait_ms, size_t size_max, char **ret_text,
                         size_t *ret_len)
{
    /* Without O_NONBLOCK the opening of a FIFO waits for a writer. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? RC_NOT_FOUND : RC_IO;
    }
    char *text = mem_new(size_max + 2, 1);
    const enum rc rc = read_all(fd, wait_ms, size_max, text, ret_len);
    const int error = errno;
    (void)close(fd);
    errno = error;
    if (rc != RC_OK) {
        mem_wipe(text, size_max + 2);
        free(text);
        return rc;
    }
    text[*ret_len] = '\0';
    *ret_text = text;
    return RC_OK;
}

enum rc config_file_read(const char *path, size_t size_max, char **ret_text, size_t *ret_len)
{
    return read_file(path, CONFIG_FILE_WAIT_MS, size_max, ret_text, ret_len);
}

enum rc config_file_read_again(const char *path, size_t size_max, char **ret_text, size_t *ret_len)
{
    struct stat at;
    if (stat(path, &at) == 0 && S_ISFIFO(at.st_mode)) {
        return RC_REFUSED;
    }
    /* A device that has nothing to say just now would keep a node from its clients. */
    const enum rc rc = read_file(path, 0, size_max, ret_text, ret_len);
    return rc == RC_TIMEOUT ? RC_REFUSED : rc;
}

const char *config_file_why(enum rc rc)
{
    if (rc == RC_REFUSED) {
        return "it is a pipe or a device, which gives what it holds once, and each node and each "
               "HUP reads it";
    }
    if (rc == RC_TIMEOUT) {
        return "nobody has written to it for 5 s";
    }
    return rc == RC_TOO_LONG ? rc_text(rc) : strerror(errno);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static char *trim(char *text)
{
    while (is_space(*text)) {
        text++;
    }
    size_t len = strlen(text);
    while (len > 0 && is_space(text[len - 1])) {
        text[--len] = '\0';
    }
    return text;
}

static char *unquote(char *value)
{
    const size_t len = strlen(value);
    if (len >= 2 && (value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0]) {
        value[len - 1] = '\0';
        return value + 1;
    }
    return value;
}

static bool is_key(const char *key)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    return key[0] != '\0' && strspn(key, allowed) == strlen(key);
}

/* Cuts one line, already terminated, into key and value; RC_NOT_FOUND when it holds none. */
static enum rc parse_line(char *line, struct config_line *ret_line)
{
    char *text = trim(line);
    if (*text == '\0' || *text == '#') {
        return RC_NOT_FOUND;
    }
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        return RC_MALFORMED;
    }
    *equals = '\0';
    ret_line->key = trim(text);
    ret_line->value = unquote(trim(equals + 1));
    return is_key(ret_line->key) ? RC_OK : RC_MALFORMED;
}

static enum rc parse_lines(struct config_file *file, size_t len, unsigned *ret_line)
{
    unsigned number = 0;
    for (size_t at = 0; at < len;) {
        char *line = file->text + at;
        const char *end = memchr(line, '\n', len - at);
        const size_t line_len = end != NULL ? (size_t)(end - line) : len - at;
        line[line_len] = '\0';
        at += line_len + 1;
        *ret_line = ++number;
        if (file->line_count == CONFIG_FILE_LINES_MAX) {
            return RC_TOO_LONG;
        }
        if (strlen(line) != line_len) {
            return RC_MALFORMED;
        }
        struct config_line *parsed = &file->lines[file->line_count];
        const enum rc rc = parse_line(line, parsed);
        if (rc == RC_MALFORMED) {
            return rc;
        }
        if (rc == RC_OK) {
            parsed->number = number;
            file->line_count++;
        }
    }
    return RC_OK;
}

enum rc config_file_parse(struct config_file *file, const char *text, size_t len,
                          unsigned *ret_line)
{
    file->text = NULL;
    file->line_count = 0;
    *ret_line = 0;
    if (len > CONFIG_FILE_BYTES_MAX) {
        return RC_TOO_LONG;
    }
    file->text = mem_new(len + 1, 1);
    file->len = len;
    if (len > 0) {
        memcpy(file->text, text, len);
    }
    const enum rc rc = parse_lines(file, len, ret_line);
    if (rc != RC_OK) {
        config_file_fini(file);
    }
    return rc;
}

void config_file_fini(struct config_file *file)
{
    if (file->text != NULL) {
        mem_wipe(file->text, file->len); /* a file with settings may hold a secret */
        free(file->text);
    }
    file->text = NULL;
    file->line_count = 0;
}
