# bash completion for cxlmemctl(1)

# Adds to COMPREPLY the words that begin with what has been typed. Not compgen -W, which expands its words as the shell
# does: what another machine calls its devices would be run.
__cxlmemctl_offer() {
    local word
    for word in "$@"; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done
    return 0
}

# The names of objects of these kinds, from the running daemon; nothing if there is none. What no kernel would call a
# device is left out: bash inserts a completion into the command line as it is.
__cxlmemctl_offer_names() {
    local kind
    local -a names
    for kind in "$@"; do
        mapfile -t names < <(NO_COLOR=1 cxlmemctl "${destination[@]}" list "$kind" 2>/dev/null |
            LC_ALL=C awk 'NR > 1 && $1 ~ /^[A-Za-z0-9][A-Za-z0-9._:@+-]*$/ { print $1 }')
        __cxlmemctl_offer "${names[@]}"
    done
}

# The names of the rules in force, of those that a command line can carry.
__cxlmemctl_offer_rules() {
    local -a names
    mapfile -t names < <(NO_COLOR=1 cxlmemctl "${destination[@]}" check 2>/dev/null |
        LC_ALL=C awk '$1 ~ /^[0-9]+$/ && $2 ~ /^[A-Za-z0-9][A-Za-z0-9._:@+-]*$/ { print $2 }')
    __cxlmemctl_offer "${names[@]}"
}

_cxlmemctl() {
    local cur prev words cword
    if declare -F _init_completion >/dev/null; then
        _init_completion -n : || return
    else
        cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi
    COMPREPLY=()

    local -a commands=(status list show plan apply explain online offline mode hold release remove reload
        check monitor cancel record wait metrics import topology doctor)
    local -a options=(--json --bus --host --no-ask-password --no-block --help --version)
    local -a work_options=(--timeout --rollback --no-rollback --no-hold)

    local i command="" objects=0
    local -a destination=()
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            --bus | --host | -H) destination=("${words[i]}" "${words[i + 1]}") && ((i++)) ;;
            --zone | --amount | --timeout | --rule | --instance | --device | --node | --bytes | --if-none | --settle | \
                --output | --svg | --root | --on | --policy | --against | --since) ((i++)) ;;
            -*) ;;
            *) if [ -z "$command" ]; then command=${words[i]}; else ((objects++)); fi ;;
        esac
    done

    case $prev in
        --if-none) __cxlmemctl_offer wait met fail && return ;;
        --rule | --instance) __cxlmemctl_offer_rules && return ;;
        --device) __cxlmemctl_offer_names dax regions memdevs && return ;;
        --since) __cxlmemctl_offer "1 hour ago" today yesterday && return ;;
        --bytes | --settle | --node) return ;;
        --policy | --against)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
            ;;
        --output | --svg | --root | --on)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        --zone) __cxlmemctl_offer movable kernel auto && return ;;
        --amount) __cxlmemctl_offer all 25% 50% 75% && return ;;
        --timeout) __cxlmemctl_offer 30s 60s 5min && return ;;
        --bus) __cxlmemctl_offer system session && return ;;
        --host | -H) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") && return ;;
    esac

    if [ -z "$command" ]; then
        __cxlmemctl_offer "${commands[@]}" "${options[@]}"
        return
    fi
    if [[ $cur == -* ]]; then
        case $command in
            online) options+=(--zone --amount "${work_options[@]}") ;;
            offline | mode) options+=("${work_options[@]}") ;;
            remove) options+=(--timeout --rollback --no-rollback) ;;
            plan) options+=(--on --policy --against) ;;
            record) options+=(--anonymise --since) ;;
            metrics) options+=(--output) ;;
            doctor) options+=(--root) ;;
            topology) options+=(--ascii --svg) ;;
            show) options+=(--blocks) ;;
            wait) options+=(--rule --instance --device --node --bytes --timeout --if-none --settle --watch) ;;
        esac
        __cxlmemctl_offer "${options[@]}"
        return
    fi
    case $command in
        list) [ "$objects" -eq 0 ] && __cxlmemctl_offer memdevs regions decoders dax nodes jobs ;;
        show) __cxlmemctl_offer_names memdevs regions decoders dax nodes ;;
        online | offline | hold) __cxlmemctl_offer_names dax ;;
        release) __cxlmemctl_offer_names dax regions memdevs ;;
        remove) __cxlmemctl_offer_names regions memdevs ;;
        explain) [ "$objects" -eq 0 ] && __cxlmemctl_offer_names dax memdevs regions decoders nodes ;;
        mode)
            if [ "$objects" -eq 0 ]; then
                __cxlmemctl_offer_names dax
            elif [ "$objects" -eq 1 ]; then
                __cxlmemctl_offer system-ram devdax famfs
            fi
            ;;
        cancel) __cxlmemctl_offer_names jobs ;;
        check | import | plan)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            ;;
    esac
} && complete -F _cxlmemctl cxlmemctl
