#compdef cxlmemctl
# zsh completion for cxlmemctl(1)

# The names of objects of these kinds, from the running daemon; nothing if there is none. What no kernel would call a
# device is left out.
_cxlmemctl_names() {
    local kind
    local -a names
    for kind in "$@"; do
        names+=(${(f)"$(NO_COLOR=1 cxlmemctl $destination list $kind 2>/dev/null |
            LC_ALL=C awk 'NR > 1 && $1 ~ /^[A-Za-z0-9][A-Za-z0-9._:@+-]*$/ { print $1 }')"})
    done
    compadd -a names
}

_cxlmemctl_rules() {
    local -a names
    names=(${(f)"$(NO_COLOR=1 cxlmemctl $destination check 2>/dev/null |
        LC_ALL=C awk '$1 ~ /^[0-9]+$/ && $2 ~ /^[A-Za-z0-9][A-Za-z0-9._:@+-]*$/ { print $2 }')"})
    compadd -a names
}

_cxlmemctl_command() {
    local -a commands=(
        'status:show the daemon, its policy, and all dax devices'
        'list:list objects'
        'topology:draw cards, windows, regions, devices and nodes'
        'doctor:say whether this machine is well set up'
        'show:show all properties of objects'
        'plan:show what policy would do now'
        'apply:do what policy says now'
        'explain:say why a dax device is as it is'
        'online:bring dax devices online as memory'
        'offline:take dax devices offline'
        'mode:give a dax device another mode'
        'hold:keep policy off dax devices'
        'release:give dax devices, regions or cards back to policy'
        'remove:take regions away, or empty cards to pull them'
        'reload:read the policy files again'
        'check:check policy files'
        'monitor:show what happens'
        'cancel:cancel jobs'
        'record:print the topology as a file for the emulator'
        'wait:wait until memory is online'
        'import:print the policy that does what a file of daxctl or udev does'
        'metrics:print metrics as OpenMetrics text'
    )
    _describe command commands
}

_cxlmemctl() {
    local curcontext=$curcontext state line
    # Where the command line says that the daemon is.
    local -a destination
    local i
    for ((i = 2; i < CURRENT; i++)); do
        case $words[i] in
            --bus | --host | -H) ((i + 1 < CURRENT)) && destination+=("$words[i]" "${(Q)words[i + 1]}") && ((i++)) ;;
            --bus=* | --host=*) destination+=("${(Q)words[i]}") ;;
        esac
    done
    local -a global=(
        '--json[print JSON]'
        '--bus=[bus]:bus:(system session)'
        '(-H --host)'{-H,--host=}'[daemon of another machine]:host:_hosts'
        '--no-ask-password[do not ask for a password]'
        '--no-block[do not wait for jobs]'
        '(- *)--help[help]'
        '(- *)--version[version]'
    )
    local -a work=(
        '--timeout=[give up after this time]:time'
        '(--no-rollback)--rollback[put back what was done if it fails]'
        '(--rollback)--no-rollback[leave what was done]'
        '--no-hold[policy may change it again]'
    )
    _arguments -C $global '1:command:_cxlmemctl_command' '*::argument:->arguments'
    [[ $state == arguments ]] || return
    case $words[1] in
        list) _arguments $global '1:kind:(memdevs regions decoders dax nodes jobs)' ;;
        show)
            _arguments $global '--blocks[memory blocks of dax devices]' \
                '*:name:_cxlmemctl_names memdevs regions decoders dax nodes'
            ;;
        explain) _arguments $global '1:name:_cxlmemctl_names dax memdevs regions decoders nodes' ;;
        hold) _arguments $global '*:name:_cxlmemctl_names dax' ;;
        release) _arguments $global '*:name:_cxlmemctl_names dax regions memdevs' ;;
        online)
            _arguments $global $work '--zone=[zone]:zone:(movable kernel auto)' \
                '--amount=[amount]:amount:(all 25% 50% 75%)' '*:name:_cxlmemctl_names dax'
            ;;
        remove)
            _arguments $global $work[1,3] '*:name:_cxlmemctl_names regions memdevs'
            ;;
        offline) _arguments $global $work '*:name:_cxlmemctl_names dax' ;;
        mode) _arguments $global $work '1:name:_cxlmemctl_names dax' '2:mode:(system-ram devdax famfs)' ;;
        cancel) _arguments $global '*:job:_cxlmemctl_names jobs' ;;
        wait)
            _arguments $global '--rule=[memory of a rule]:rule:_cxlmemctl_rules' \
                '--instance=[the same, as a unit is called]:rule:_cxlmemctl_rules' \
                '--device=[memory of a device]:name:_cxlmemctl_names dax regions memdevs' \
                '--node=[memory of a NUMA node]:number' '--bytes=[as much is enough]:size' \
                '--if-none=[if this machine has none]:word:(wait met fail)' \
                '--settle=[how long nothing may appear]:time' \
                '--watch[stay until it is about to go]' '--timeout=[give up after this time]:time'
            ;;
        topology)
            _arguments $global '--ascii[lines of ASCII]' '--svg=[replace this file by a picture]:file:_files'
            ;;
        doctor) _arguments $global '--root=[read the files below this folder]:folder:_files -/' ;;
        metrics) _arguments $global '--output=[replace this file]:file:_files' ;;
        plan)
            _arguments $global '*--on=[recorded machines]:file:_files' '--policy=[policy files]:folder:_files -/' \
                '--against=[only what changes from these]:folder:_files -/' '*:file:_files'
            ;;
        record)
            _arguments $global '--anonymise[make serial numbers up]' '--since=[what has happened since]:time'
            ;;
        check) _arguments $global '*:file:_files' ;;
        import) _arguments $global '1:file:_files' ;;
        *) _arguments $global ;;
    esac
}

_cxlmemctl "$@"
