#include "cmd/settings/local_host.h"

#include "net/sys/hostinfo.h"

#include <string.h>

const char *local_host(const struct settings *s, char ret_text[static ADDR_TEXT_SIZE])
{
    const char *bind = settings_text(s, SETTING_BIND);
    struct addr addr;
    if (strcmp(bind, "all") == 0 || addr_parse_ip(bind, 0, &addr) != RC_OK || addr_is_any(&addr)) {
        addr = hostinfo_loopback();
    }
    return addr_format_ip(&addr, ret_text);
}
