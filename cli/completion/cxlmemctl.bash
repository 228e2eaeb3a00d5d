# bash completion for cxlmemctl(1)

# Names of one kind of object, from the running daemon; nothing if there is none.
__cxlmemctl_names() {
    NO_COLOR=1 cxlmemctl "${__cxlmemctl_bus[@]}" list "$1" 2>/dev/null |
        awk 'NR > 1 { print $1 }'
}

_cxlmemctl() {
    local cur prev words cword
    if declare -F _init_completion >/dev/null; then
        _init_completion -n : || return
    else
        cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi

    local commands="status list show plan apply explain online offline mode hold release remove reload
        check monitor cancel record"
    local options="--json --bus --host --no-ask-password --no-block --help --version"
    local work_options="--timeout --rollback --no-rollback --no-hold"

    case $prev in
        --zone) COMPREPLY=($(compgen -W "movable kernel auto" -- "$cur")) && return ;;
        --amount) COMPREPLY=($(compgen -W "all 25% 50% 75%" -- "$cur")) && return ;;
        --timeout) COMPREPLY=($(compgen -W "30s 60s 5min" -- "$cur")) && return ;;
        --bus) COMPREPLY=($(compgen -W "system session" -- "$cur")) && return ;;
        --host | -H) COMPREPLY=($(compgen -A hostname -- "$cur")) && return ;;
    esac

    local i command="" objects=0
    local -a __cxlmemctl_bus=()
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            --bus | --host | -H) __cxlmemctl_bus=("${words[i]}" "${words[i + 1]}") && ((i++)) ;;
            --zone | --amount | --timeout) ((i++)) ;;
            -*) ;;
            *) if [ -z "$command" ]; then command=${words[i]}; else ((objects++)); fi ;;
        esac
    done

    if [ -z "$command" ]; then
        COMPREPLY=($(compgen -W "$commands $options" -- "$cur"))
        return
    fi
    if [[ $cur == -* ]]; then
        case $command in
            online) options+=" --zone --amount $work_options" ;;
            offline | mode) options+=" $work_options" ;;
            remove) options+=" --timeout --rollback --no-rollback" ;;
            record) options+=" --anonymise" ;;
        esac
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        return
    fi
    case $command in
        list) [ "$objects" -eq 0 ] && COMPREPLY=($(compgen -W "memdevs regions dax nodes jobs" -- "$cur")) ;;
        show)
            COMPREPLY=($(compgen -W "$(for kind in memdevs regions dax nodes; do
                __cxlmemctl_names "$kind"
            done)" -- "$cur"))
            ;;
        online | offline | hold) COMPREPLY=($(compgen -W "$(__cxlmemctl_names dax)" -- "$cur")) ;;
        release)
            COMPREPLY=($(compgen -W "$(for kind in dax regions memdevs; do
                __cxlmemctl_names "$kind"
            done)" -- "$cur"))
            ;;
        remove)
            COMPREPLY=($(compgen -W "$(__cxlmemctl_names regions; __cxlmemctl_names memdevs)" -- "$cur"))
            ;;
        explain) [ "$objects" -eq 0 ] && COMPREPLY=($(compgen -W "$(__cxlmemctl_names dax)" -- "$cur")) ;;
        mode)
            if [ "$objects" -eq 0 ]; then
                COMPREPLY=($(compgen -W "$(__cxlmemctl_names dax)" -- "$cur"))
            elif [ "$objects" -eq 1 ]; then
                COMPREPLY=($(compgen -W "system-ram devdax" -- "$cur"))
            fi
            ;;
        cancel) COMPREPLY=($(compgen -W "$(__cxlmemctl_names jobs)" -- "$cur")) ;;
        check) COMPREPLY=($(compgen -f -- "$cur")) ;;
    esac
} && complete -F _cxlmemctl cxlmemctl
