#include "cmd/settings/help.h"

#include "cmd/base/output.h"
#include "cmd/base/reflow.h"
#include "cmd/settings/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char overview[] =
    "repram: a gossip-replicated, ephemeral key-value store\n"
    "\n"
    "usage: repram COMMAND [options]\n"
    "\n"
    "  launch      start NODE_COUNT nodes and watch over them\n"
    "  node        run one node\n"
    "  put         store a value under a key, for a time\n"
    "  get         write a key's value to standard output\n"
    "  head        show a key's size, age and remaining time\n"
    "  keys        list keys\n"
    "  watch       see changes as they happen\n"
    "  peers       show the members that a node knows\n"
    "  status      show what a node says about itself\n"
    "  health      are the nodes of this host well?\n"
    "  wait        return when the cluster has formed, or has converged\n"
    "  bench       load nodes with requests, and say how fast they answer\n"
    "  export      write every entry to a file, a line of JSON each\n"
    "  import      read such a file back in, with the time that each entry has left\n"
    "  keygen      make a key for the cluster's secret, or a token\n"
    "  acl         what a file of rules would allow\n"
    "  completion  a script that completes words for bash, zsh or fish\n"
    "  version     print the version\n"
    "  help        this text; help COMMAND, help settings\n"
    "\n"
    "exit codes: 0 ok, 1 failed (also when the output could not be written), 2 usage, 69 no port\n"
    "free, 75 all-or-nothing start failed, 78 bad configuration, 130 interrupted\n";

#define NODE_OPTIONS                                                               \
    "  --config FILE      KEY=value lines; flags and the environment come first\n" \
    "  --print-config     show every value and where it came from, and end\n"      \
    "  --check-config     say whether the configuration is good, and end\n"        \
    "  --strict           unknown REPRAM_* names are errors\n"                     \
    "  --SETTING VALUE    any setting of `repram help settings`, as --base-port 9000\n"

/* The token is in no option: everybody on the host reads command lines. */
#define TRUST_OPTIONS                                                                             \
    "      --cacert FILE        trust its authorities in place of the system's, and ask servers " \
    "by\n"                                                                                        \
    "                           https unless http:// is said; else REPRAM_CACERT\n"               \
    "      --cert FILE          a certificate to show; else REPRAM_CLIENT_CERT\n"                 \
    "      --key FILE           its key; else REPRAM_CLIENT_KEY, or in the certificate's file\n"  \
    "      --token-in-clear     send REPRAM_TOKEN, or what REPRAM_TOKEN_FILE holds, by http to\n" \
    "                           other hosts too\n"

/* `wait` is what the timeout is for, and its default. */
#define CLIENT_OPTIONS(wait)                                                                       \
    "  -s, --server SERVER      the node to ask, as host[:port] or https://host; repeatable, "     \
    "comma\n"                                                                                      \
    "                           lists; the next one when it fails. Else REPRAM_SERVER, else the\n" \
    "                           ports BASE_PORT.. of this host, of this REPRAM_NETWORK and\n"      \
    "                           _ENCLAVE\n"                                                        \
    "  -t, --timeout TIME       " wait "\n" TRUST_OPTIONS                                          \
    "      --json               for scripts\n"                                                     \
    "      --color WHEN         auto (a terminal, unless NO_COLOR is set), always or never\n"      \
    "  -h, --help               this text\n"

#define DATA_OPTIONS CLIENT_OPTIONS("for an answer, as 500ms or 2m; 15s by default")
#define WATCH_OPTIONS CLIENT_OPTIONS("of silence, as 10s or 2m; 15s by default")
#define SHOW_OPTIONS CLIENT_OPTIONS("for an answer, as 500ms or 2m; 10s by default")
#define HEALTH_OPTIONS CLIENT_OPTIONS("for an answer, as 500ms or 2m; 4s by default")
#define WAIT_OPTIONS CLIENT_OPTIONS("for all of it, as 10s or 2m; 30s by default")

struct command_help {
    const char *name;
    const char *text;
};

static const struct command_help commands[] = {
    {"launch",
     "usage: repram launch [options]\n"
     "\n"
     "Starts NODE_COUNT nodes, restarts those that end, passes TERM, INT and HUP on, and ends\n"
     "when all have left (7 s after REPRAM_DRAIN_GRACE at most; a second signal kills at once).\n"
     "Prints a table of the nodes once all are ready and each sees all others. Correct as PID 1.\n"
     "\n"
     "  --require-all          all ready and each seeing all others by the start timeout, or\n"
     "                         everything is stopped and the exit code is 75\n"
     "  --start-timeout TIME   30s by default\n" NODE_OPTIONS "\n"
     "examples:\n"
     "  repram launch\n"
     "  NODE_COUNT=5 repram launch --require-all --start-timeout 10s\n"
     "  repram launch --base-port 9000 --network staging --log-format json\n"},
    {"node",
     "usage: repram node [options]\n"
     "\n"
     "Runs one node on the first free port of the range, in the foreground. TERM and INT make\n"
     "it leave the cluster and end: for REPRAM_DRAIN_GRACE it serves on and says that it is not\n"
     "ready, so that proxies turn to others. A second one ends it at once. HUP reads again: the\n"
     "log level, the cluster's keys, the certificate, and who may do what.\n"
     "\n" NODE_OPTIONS "\n"
     "examples:\n"
     "  repram node\n"
     "  repram node --http-port 9000 --discovery static --peers 10.0.0.1:8081,10.0.0.2:8081\n"
     "  repram node --config /etc/repram.conf --print-config\n"},
    {"put",
     "usage: repram put KEY [VALUE | -] [options]\n"
     "\n"
     "Stores a value: the argument, a file, or standard input. Exit code 0 when the quorum\n"
     "holds it (OK) or when it is stored and the quorum is still pending (Accepted). A lifetime\n"
     "outside the node's bounds is brought into them, and that is said. Of several servers the\n"
     "next one is asked where there is no connection, and after 429 and 503; where an answer is\n"
     "lost the value goes to one more, once, and its lifetime begins anew with the second.\n"
     "\n"
     "      --ttl TIME           lifetime: seconds, or a duration such as 1h30m\n"
     "  -f, --file FILE          read the value from a file\n" DATA_OPTIONS "\n"
     "examples:\n"
     "  repram put greeting hello --ttl 10m\n"
     "  tar c docs | repram put backup - --ttl 1h\n"
     "  repram put logo --file logo.png --server 10.0.0.1:8081 --json\n"},
    {"get",
     "usage: repram get KEY [options]\n"
     "\n"
     "Writes the value to standard output, byte for byte. Exit code 1 when there is none. To a\n"
     "terminal it ends the line, and shows what a terminal might obey as '?'.\n"
     "With --json: the value and what `head` shows; `value_base64` unless it is text.\n"
     "\n" DATA_OPTIONS "\n"
     "examples:\n"
     "  repram get greeting\n"
     "  repram get backup | tar x\n"},
    {"head", "usage: repram head KEY [options]\n"
             "\n"
             "Shows size, creation time, lifetime and version of a key, without its value.\n"
             "\n" DATA_OPTIONS "\n"
             "examples:\n"
             "  repram head greeting\n"
             "  repram head greeting --json\n"},
    {"keys",
     "usage: repram keys [options]\n"
     "\n"
     "Lists live keys in byte order, one a line. Control characters, '%' and bytes that are not\n"
     "UTF-8 appear percent-encoded; --json gives them exactly.\n"
     "\n"
     "  -p, --prefix TEXT        only keys that begin with it\n"
     "  -n, --limit N            at most so many\n" DATA_OPTIONS "\n"
     "examples:\n"
     "  repram keys --prefix user/ --limit 100\n"
     "  repram keys --json\n"},
    {"watch",
     "usage: repram watch [options]\n"
     "\n"
     "Shows writes and expiries as they happen, until Ctrl-C (exit code 130) or until nobody "
     "reads\n"
     "them any more: first all present entries, then each change. It makes a lost connection\n"
     "again, with the next server where several are named: the same node sends what happened\n"
     "meanwhile, another one sends all entries again.\n"
     "Control characters appear percent-encoded; --json gives one object a line. A terminal is\n"
     "shown the time (UTC) too, and keys and values cut to its width; a pipe gets, with tabs\n"
     "between: event, time left, size, key, value.\n"
     "\n"
     "  -p, --prefix TEXT        only keys that begin with it\n"
     "      --values             show values of up to 16 KiB too\n"
     "      --new                only what happens from now on: no present entries, neither at\n"
     "                           the start nor when another node is asked\n" WATCH_OPTIONS "\n"
     "A node says something every 5 s.\n"
     "\n"
     "examples:\n"
     "  repram watch --prefix rooms/\n"
     "  repram watch --json --values | jq -r 'select(.event == \"put\") | .key'\n"},
    {"peers",
     "usage: repram peers [options]\n"
     "\n"
     "Shows the members that a node knows, behind the node itself. A terminal is shown what\n"
     "fits; a pipe gets all columns, exactly, with tabs between. --json gives the node's\n"
     "answer, in which the node itself is not listed.\n"
     "\n"
     "      --state STATE        only alive, suspect, dead or left ones; comma lists\n"
     "  -w, --wide               all columns, uncut\n" SHOW_OPTIONS "\n"
     "examples:\n"
     "  repram peers\n"
     "  repram peers --state suspect,dead --wide\n"
     "  repram peers --server 10.0.0.1:8081 --json\n"},
    {"status",
     "usage: repram status [options]\n"
     "\n"
     "Shows a node's state, storage, membership, clock and links: the main things on a\n"
     "terminal, every value with its path in a pipe.\n"
     "\n"
     "  -l, --long               every value, on a terminal too\n"
     "  -k, --keys               the cluster's keys, who holds and who sends under them, and\n"
     "                           which steps of a change may be taken and which have to\n"
     "                           wait; exit code 0 once all live members have the same\n"
     "                           keys, so that the next step is safe\n" SHOW_OPTIONS "\n"
     "examples:\n"
     "  repram status\n"
     "  repram status --keys\n"
     "  repram status --long\n"
     "  repram status --json\n"},
    {"health",
     "usage: repram health [--all] [options]\n"
     "\n"
     "Asks the nodes of the local port range, or those that are named. Exit code 0 when one is\n"
     "healthy; with --all, when NODE_COUNT nodes of the range are, or all that are named. One is\n"
     "that says who it is (/health) and can serve (/livez); ready is for `wait` and proxies.\n"
     "\n"
     "  -a, --all                every node must be healthy\n" HEALTH_OPTIONS "\n"
     "examples:\n"
     "  repram health --all\n"
     "  repram health --server 10.0.0.1:8081,10.0.0.2:8081 --all\n"},
    {"wait",
     "usage: repram wait [--members N] [--converged] [options]\n"
     "\n"
     "Returns when every member sees N alive members, itself included, and is ready (a write is\n"
     "answered 201), and (--converged) the root digests of all are equal. At the timeout it\n"
     "says what is missing, and the exit code is 1. All members' addresses must be reachable.\n"
     "\n"
     "  -n, --members N          members, all of them counted\n"
     "      --converged          all hold the same data\n" WAIT_OPTIONS "\n"
     "examples:\n"
     "  repram wait --members 3 --timeout 10s\n"
     "  repram wait --members 3 --converged --timeout 30s --server 10.0.0.1:8081\n"},
    {"bench",
     "usage: repram bench [options]\n"
     "\n"
     "Loads nodes with GETs and PUTs of random keys, and says how many were answered a second and\n"
     "how soon. Writes every key once first, unless nothing is read. Ctrl-C ends it early, with\n"
     "what was measured so far (exit code 130). Exit code 1 when a server failed or anything was\n"
     "refused.\n"
     "\n"
     "      --reads PERCENT      GETs among the requests; 50 by default\n"
     "      --size BYTES         of a value; 100 by default, or 1KiB-64KiB for any in between\n"
     "      --keys N             how many keys there are; 10000 by default\n"
     "      --prefix TEXT        that keys begin with; bench- by default\n"
     "      --ttl TIME           lifetime of what is written; the node's default else\n"
     "  -c, --connections N      over all servers together; 32 by default\n"
     "  -p, --pipeline N         requests under way on each connection; 1 by default\n"
     "  -b, --burst N            instead: N requests at once on each connection, and the next N\n"
     "                           when all are answered; an answer missing after --timeout fails.\n"
     "                           With --rate bursts leave by the clock\n"
     "  -d, --duration TIME      10s by default\n"
     "  -n, --requests N         end after so many; alone it is the only end\n"
     "      --rate N             so many a second, due by the clock; else as answers come\n"
     "      --warm-up TIME       load that is not measured; 1s by default, 0 with --requests\n"
     "      --no-fill            do not write every key once first\n"
     "  -s, --server SERVER      host[:port] or https://host; repeatable, comma lists: each gets "
     "its\n"
     "                           share of the connections. Else REPRAM_SERVER, else the first "
     "node\n"
     "                           of the local ports\n"
     "  -t, --timeout TIME       of a connect, and of an answer; 10s by default\n" TRUST_OPTIONS
     "      --json               for scripts\n"
     "      --color WHEN         auto (a terminal, unless NO_COLOR is set), always or never\n"
     "  -h, --help               this text\n"
     "\n"
     "Without --rate a server that stalls gets fewer requests, so percentiles look better than\n"
     "users would find them. With --rate a latency counts from when its request was due, at each\n"
     "server in turn, also if it could not be sent or got no answer; with --pipeline and --burst\n"
     "too.\n"
     "\n"
     "examples:\n"
     "  repram bench\n"
     "  repram bench --reads 90 --size 1KiB --keys 100000 --duration 30s --ttl 10m\n"
     "  repram bench --burst 400 --size 2000 --requests 20000 --timeout 3s\n"
     "  repram bench --server 10.0.0.1:8081,10.0.0.2:8081 --rate 5000 --json\n"
     "  repram bench --rate 5000 --burst 50\n"},
    {"export",
     "usage: repram export [FILE | -] [options]\n"
     "\n"
     "Writes every entry of a node, one JSON object a line, to the file or to standard output:\n"
     "key, value in base64, and when it ends. Reads on when the node was busy or away, until "
     "nothing\n"
     "has gone well for the timeout; where it was started again, --resume goes on.\n"
     "\n"
     "  -p, --prefix TEXT        only keys that begin with it\n"
     "      --after KEY          only keys behind it in byte order, and no head: to be appended\n"
     "      --resume             go on with a file that was broken off\n" DATA_OPTIONS "\n"
     "examples:\n"
     "  repram export backup.ndjson\n"
     "  repram export backup.ndjson --resume\n"
     "  repram export --prefix rooms/ | gzip > rooms.gz\n"},
    {"import",
     "usage: repram import [FILE | -] [options]\n"
     "\n"
     "Writes the entries of an export, from the file or standard input, each with the time that "
     "it\n"
     "has left. Keys that are there are left alone. Those that have ended, or "
     "whose\n"
     "time is outside the target's bounds, are skipped and counted. Begun again, it writes what\n"
     "is missing.\n"
     "\n"
     "      --overwrite          write keys that are there too\n" DATA_OPTIONS "\n"
     "examples:\n"
     "  repram import backup.ndjson\n"
     "  gunzip < rooms.gz | repram import --server 10.0.0.1:8081 --json\n"},
    {"keygen",
     "usage: repram keygen [--out FILE] [--network NETWORK | --token NAME]\n"
     "\n"
     "Makes a key for REPRAM_CLUSTER_SECRET, which seals all traffic between nodes. It goes into\n"
     "a file that only its owner may read, and never over a file that is there; without --out to\n"
     "standard output. Its id, by which `repram status --keys` calls it, hangs on the network.\n"
     "\n"
     "With --token a token for a client, and the line with its hash for REPRAM_ACL_FILE: both to\n"
     "standard output, where the token stands once, or the token into the file.\n"
     "\n"
     "  -o, --out FILE         where the key or token goes\n"
     "      --network NETWORK  of the nodes that will have it; REPRAM_NETWORK, else private\n"
     "      --token NAME       a token for this user\n"
     "  -h, --help             this text\n"
     "\n"
     "examples:\n"
     "  repram keygen --out secret\n"
     "  REPRAM_CLUSTER_SECRET_FILE=secret repram launch\n"
     "  repram keygen --token alice --out alice.token >> acl\n"},
    {"acl",
     "usage: repram acl check FILE [options]\n"
     "\n"
     "Says whether a file for REPRAM_ACL_FILE is good and, with --request, what a node would\n"
     "decide and by which line. No node is asked. Times to live and values are bounded by the\n"
     "environment's REPRAM_*_TTL and REPRAM_MAX_VALUE_SIZE, as a node's are by its own. Exit code\n"
     "0 when it would be served, 1 when it would be refused, 78 when a file is no good. Nodes\n"
     "with this file show the same digest in /status.\n"
     "\n"
     "      --request 'METHOD PATH'  as 'PUT /data/k?ttl=1h'\n"
     "      --token-file FILE    who asks brings the token in it; else none\n"
     "      --size BYTES         how large the body is, as 100 or 64KiB\n"
     "      --conditional        with If-Match or If-None-Match\n"
     "  -h, --help               this text\n"
     "\n"
     "examples:\n"
     "  repram acl check acl\n"
     "  repram acl check acl --token-file alice --request 'PUT /data/app/x?ttl=10m' --size 2KiB\n"
     "  repram acl check acl --request 'GET /keys?prefix=app/'\n"},
    {"completion", "usage: repram completion bash | zsh | fish\n"
                   "\n"
                   "Writes a script that lets the shell complete commands, options and settings.\n"
                   "\n"
                   "  -h, --help               this text\n"
                   "\n"
                   "examples:\n"
                   "  source <(repram completion bash)\n"
                   "  repram completion zsh > ~/.zfunc/_repram\n"
                   "  repram completion fish > ~/.config/fish/completions/repram.fish\n"},
    {"version", "usage: repram version [--json]\n"
                "\n"
                "Prints the version.\n"
                "\n"
                "      --json               for scripts\n"
                "  -h, --help               this text\n"},
    {"help", "usage: repram help [--man] [COMMAND | settings]\n"
             "\n"
             "Shows this text, or that of a command, or every setting. With --man the same as a\n"
             "manual page, for `man -l -`; that of settings is repram.conf(5).\n"
             "\n"
             "      --man                as a manual page\n"
             "  -h, --help               this text\n"
             "\n"
             "examples:\n"
             "  repram help put\n"
             "  repram help --man put | man -l -\n"},
};

/* Where a text is written to until it is whole: a terminal gets it in its own width. */
struct pending {
    FILE *out; /* where it is to go */
    FILE *whole;
    char *text;
    size_t len;
};

static FILE *begin_text(struct pending *p, FILE *out)
{
    *p = (struct pending){.out = out};
    if (out == stdout ? output_is_terminal() : out == stderr && isatty(STDERR_FILENO) == 1) {
        p->whole = open_memstream(&p->text, &p->len);
    }
    return p->whole != NULL ? p->whole : out;
}

static void end_text(struct pending *p)
{
    if (p->whole != NULL && fclose(p->whole) == 0) {
        reflow_print(p->out, p->text, output_columns());
    }
    free(p->text);
}

static void print_text(FILE *out, const char *text)
{
    struct pending pending;
    (void)fputs(text, begin_text(&pending, out));
    end_text(&pending);
}

void help_overview(FILE *out)
{
    print_text(out, overview);
}

const char *help_overview_text(void)
{
    return overview;
}

const char *help_command_text(const char *command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, command) == 0) {
            return commands[i].text;
        }
    }
    return NULL;
}

enum rc help_command(FILE *out, const char *command)
{
    const char *text = help_command_text(command);
    if (text == NULL) {
        return RC_NOT_FOUND;
    }
    print_text(out, text);
    return RC_OK;
}

static void print_settings(FILE *out)
{
    (void)fputs("Settings: flag > environment > file (--config) > default. An empty value counts "
                "as not set.\n",
                out);
    for (int i = 0; i < SETTING_COUNT; i++) {
        const enum setting_id id = (enum setting_id)i;
        const struct settings_def *def = settings_def(id);
        char flag[SETTING_NAME_SIZE];
        char allowed[SETTINGS_ALLOWED_SIZE];
        settings_flag(id, flag);
        (void)fprintf(out, "\n%s%s%s\n", def->name, def->aliases[0] != '\0' ? ", also " : "",
                      def->aliases);
        (void)fprintf(out, "    %s\n", def->meaning);
        if ((def->traits & TRAIT_UNUSED) != 0) {
            continue;
        }
        (void)fprintf(out, "    default: %s; allowed: %s%s%s\n",
                      def->fallback[0] != '\0' ? def->fallback : "not set",
                      settings_allowed(id, allowed, sizeof(allowed)),
                      *flag != '\0' ? "; flag: --" : "", flag);
    }
}

void help_settings(FILE *out)
{
    struct pending pending;
    print_settings(begin_text(&pending, out));
    end_text(&pending);
}
