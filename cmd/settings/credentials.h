/*
 * credentials: what a client command trusts and shows: authorities, a certificate, a token.
 *
 * The files come from options, else from REPRAM_CACERT, REPRAM_CLIENT_CERT and REPRAM_CLIENT_KEY;
 * the token from REPRAM_TOKEN or from the file that REPRAM_TOKEN_FILE names, and from no option: a
 * command line is read by everybody on the host. The token stands in no message.
 */
#ifndef CMD_SETTINGS_CREDENTIALS_H
#define CMD_SETTINGS_CREDENTIALS_H

#include "cmd/base/report.h"
#include "core/base/rc.h"

enum { CREDENTIALS_TOKEN_MAX = 1024 }; /* bytes; a token of repram keygen has 47 */

struct credentials {
    const char *ca, *cert, *key; /* names of files, "" for none; borrowed */
    char *authorization;         /* "Bearer TOKEN", owned; NULL without a token */
};

/* What the environment says of files that no option names: those that are set stay. RC_CONFIG: a
 * key without its certificate. The reason is reported. */
MUST_USE enum rc credentials_find_files(struct credentials *c, struct report *errors);

/* Reads the token, where there is one. RC_CONFIG, and the reason is reported. */
MUST_USE enum rc credentials_read_token(struct credentials *c, struct report *errors);

/* Likewise, from a file that an option or a variable of that name names. */
MUST_USE enum rc credentials_read_token_file(struct credentials *c, const char *name,
                                             const char *path, struct report *errors);

/* Wipes the token. */
void credentials_fini(struct credentials *c);

#endif
