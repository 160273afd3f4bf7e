# shellcheck shell=bash
# The arguments that run.sh, nightly.sh and steady.sh have in common, sourced by them. `choices` is what
# --only may name, in order, and usage() says what there is.

# What was named.
only=()

# choose ARGUMENT...: takes the first option, and sets `taken` to how many arguments that used.
choose()
{
    taken=1
    case $1 in
    --only)
        # shellcheck disable=SC2154 # set by the script that sources this
        case " ${choices[*]} " in
        *" ${2:-} "*) only+=("$2") ;;
        *)
            echo "$(basename "$0"): --only takes one of: ${choices[*]}" >&2
            exit 2
            ;;
        esac
        # shellcheck disable=SC2034 # read by the script that sources this
        taken=2
        ;;
    --list)
        printf '%s\n' "${choices[@]}"
        exit 0
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
}

# is_chosen CHOICE: it was named, or none was.
is_chosen()
{
    [ ${#only[@]} -gt 0 ] || return 0
    case " ${only[*]} " in *" $1 "*) return 0 ;; esac
    return 1
}
