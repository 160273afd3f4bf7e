/* What each setting may be, in the words of refusals, `repram help settings` and the manual. */
#include "cmd/settings/secret.h"
#include "cmd/settings/settings.h"
#include "core/base/parse.h"
#include "core/base/units.h"
#include "net/access/cors.h"

#include <stdio.h>

static void format_ms(uint64_t ms, char *ret_text, size_t size)
{
    if (ms == 0) {
        (void)snprintf(ret_text, size, "0");
    } else if (ms % DAY_MS == 0) {
        (void)snprintf(ret_text, size, "%llud", (unsigned long long)(ms / DAY_MS));
    } else if (ms % 3600000 == 0) {
        (void)snprintf(ret_text, size, "%lluh", (unsigned long long)(ms / 3600000));
    } else if (ms % 1000 == 0) {
        (void)snprintf(ret_text, size, "%llus", (unsigned long long)(ms / 1000));
    } else {
        (void)snprintf(ret_text, size, "%llums", (unsigned long long)ms);
    }
}

static void allowed_number(const struct settings_def *def, char *ret_text, size_t size)
{
    char min[32], max[32];
    if (def->type == TYPE_SECONDS || def->type == TYPE_TIMEOUT) {
        const uint64_t factor = def->type == TYPE_SECONDS ? 1000 : 1;
        format_ms(def->min * factor, min, sizeof(min));
        format_ms(def->max * factor, max, sizeof(max));
        (void)snprintf(ret_text, size, "%s; %s to %s",
                       def->type == TYPE_TIMEOUT ? PARSE_DURATION_MS_TAKES : PARSE_DURATION_S_TAKES,
                       min, max);
    } else if (def->type == TYPE_SIZE) {
        (void)snprintf(ret_text, size, "bytes, or a number with KiB, MiB or GiB; %llu to %llu",
                       (unsigned long long)def->min, (unsigned long long)def->max);
    } else {
        (void)snprintf(ret_text, size, "%s, %llu to %llu",
                       def->type == TYPE_PORT ? "a port" : "a whole number",
                       (unsigned long long)def->min, (unsigned long long)def->max);
    }
}

const char *settings_allowed(enum setting_id id, char *ret_text, size_t size)
{
    static const char *const texts[] = {
        [TYPE_SWITCH] = "on or off (also true, false, yes, no, 1, 0)",
        [TYPE_NAME] = "1 to 64 printable ASCII characters without spaces",
        [TYPE_APP] = "1 to 64 letters, digits, '-', '_' and '.', the first a letter or digit",
        [TYPE_HOST] = "a host name or an IP address",
        [TYPE_BIND] = "all, or an IP address of this host",
        [TYPE_PROVIDERS] = "a comma list of port-range, dns, srv, static, flux",
        [TYPE_PEERS] = "host:port,... with IPv6 addresses in brackets, at most 256",
        [TYPE_SERVERS] = "host[:port],... with IPv6 addresses in brackets, at most 8",
        [TYPE_TRUST] = "true, false, or a comma list of networks such as 10.0.0.0/8, at most 32",
        [TYPE_URL] = "http://host[:port][/path] or https://host[:port][/path]",
        [TYPE_ORIGINS] = CORS_TAKES,
        [TYPE_LOG_LEVEL] = "debug, info, warn, error",
        [TYPE_LOG_FORMAT] = "text, json",
        [TYPE_KEYRING] = SECRET_KEYRING_TAKES,
        [TYPE_PATH] = "a file",
        [TYPE_FOLDER] = "a folder that is there, by a path of at most 1023 bytes",
        [TYPE_ANY] = "anything",
    };
    const struct settings_def *def = settings_def(id);
    if (def->type <= TYPE_SIZE) {
        allowed_number(def, ret_text, size);
    } else {
        (void)snprintf(ret_text, size, "%s", texts[def->type]);
    }
    return ret_text;
}
