# fish completion for cxlmemctl(1)

# Where the command line says that the daemon is.
function __cxlmemctl_destination
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --bus --host -H
                set -q words[2]; and printf '%s\n' $words[1..2]
                set -e words[1]
            case '--bus=*' '--host=*'
                printf '%s\n' $words[1]
        end
        set -e words[1]
    end
end

# The words that are neither options nor their values: the command, then what it is about.
function __cxlmemctl_words
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --bus --host -H --zone --amount --timeout --rule --instance --device --node --bytes --if-none \
                --settle --output --svg --root
                set -e words[1]
            case '-*'
            case '*'
                printf '%s\n' $words[1]
        end
        set -e words[1]
    end
end

function __cxlmemctl_has_no_command
    test (count (__cxlmemctl_words)) -eq 0
end

# The command is one of these, and has so many words behind it at most (-1: any number).
function __cxlmemctl_is
    set -l words (__cxlmemctl_words)
    set -q words[1]; and contains -- $words[1] $argv[2..]
    and test $argv[1] -lt 0 -o (count $words) -le (math $argv[1] + 1)
end

# The names of objects of these kinds, from the running daemon; nothing if there is none. What no kernel would call a
# device is left out.
function __cxlmemctl_names
    for kind in $argv
        NO_COLOR=1 command cxlmemctl (__cxlmemctl_destination) list $kind 2>/dev/null | string match -rg '^ *(\S+)' |
            sed 1d | string match -r '^[A-Za-z0-9][A-Za-z0-9._:@+-]*$'
    end
end

function __cxlmemctl_rules
    NO_COLOR=1 command cxlmemctl (__cxlmemctl_destination) check 2>/dev/null |
        string match -rg '^ *[0-9]+ +([A-Za-z0-9][A-Za-z0-9._:@+-]*)(?: |$)'
end

complete -c cxlmemctl -f

complete -c cxlmemctl -n __cxlmemctl_has_no_command -a status -d 'Show the daemon, its policy, and all dax devices'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a list -d 'List objects'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a show -d 'Show all properties of objects'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a topology -d 'Draw cards, windows, regions, devices and nodes'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a doctor -d 'Say whether this machine is well set up'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a plan -d 'Show what policy would do now'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a apply -d 'Do what policy says now'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a explain -d 'Say why a device is as it is'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a online -d 'Bring dax devices online as memory'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a offline -d 'Take dax devices offline'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a mode -d 'Give a dax device another mode'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a hold -d 'Keep policy off dax devices'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a release -d 'Give dax devices, regions or cards back to policy'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a remove -d 'Take regions away, or empty cards to pull them'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a reload -d 'Read the policy files again'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a check -d 'Check policy files'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a import \
    -d 'Print the policy that does what a file of daxctl or udev does'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a monitor -d 'Show what happens'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a wait -d 'Wait until memory is online'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a metrics -d 'Print metrics as OpenMetrics text'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a cancel -d 'Cancel jobs'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -a record -d 'Print the topology as a file for the emulator'

complete -c cxlmemctl -l json -d 'Print JSON'
complete -c cxlmemctl -l bus -x -a 'system session' -d 'Bus of the daemon'
complete -c cxlmemctl -l host -s H -x -a '(__fish_print_hostnames)' -d 'Daemon of another machine'
complete -c cxlmemctl -l no-ask-password -d 'Do not ask for a password'
complete -c cxlmemctl -l no-block -d 'Do not wait for jobs'
complete -c cxlmemctl -l help -s h -d 'Print help'
complete -c cxlmemctl -n __cxlmemctl_has_no_command -l version -d 'Print the version'

complete -c cxlmemctl -n '__cxlmemctl_is 0 list' -a 'memdevs regions decoders dax nodes jobs'
complete -c cxlmemctl -n '__cxlmemctl_is -1 show' -a '(__cxlmemctl_names memdevs regions decoders dax nodes)'
complete -c cxlmemctl -n '__cxlmemctl_is -1 online offline hold' -a '(__cxlmemctl_names dax)'
complete -c cxlmemctl -n '__cxlmemctl_is -1 release' -a '(__cxlmemctl_names dax regions memdevs)'
complete -c cxlmemctl -n '__cxlmemctl_is -1 remove' -a '(__cxlmemctl_names regions memdevs)'
complete -c cxlmemctl -n '__cxlmemctl_is 0 explain' -a '(__cxlmemctl_names dax memdevs regions decoders nodes)'
complete -c cxlmemctl -n '__cxlmemctl_is 0 mode' -a '(__cxlmemctl_names dax)'
complete -c cxlmemctl -n '__cxlmemctl_is 1 mode; and not __cxlmemctl_is 0 mode' -a 'system-ram devdax famfs'
complete -c cxlmemctl -n '__cxlmemctl_is -1 cancel' -a '(__cxlmemctl_names jobs)'
complete -c cxlmemctl -n '__cxlmemctl_is -1 check' -F
complete -c cxlmemctl -n '__cxlmemctl_is 0 import' -F

complete -c cxlmemctl -n '__cxlmemctl_is -1 online' -l zone -x -a 'movable kernel auto' -d Zone
complete -c cxlmemctl -n '__cxlmemctl_is -1 online' -l amount -x -a 'all 25% 50% 75%' -d 'How much'
complete -c cxlmemctl -n '__cxlmemctl_is -1 online offline mode remove wait' -l timeout -x -a '30s 60s 5min' \
    -d 'Give up after this time'
complete -c cxlmemctl -n '__cxlmemctl_is -1 online offline mode remove' -l rollback \
    -d 'Put back what was done if it fails'
complete -c cxlmemctl -n '__cxlmemctl_is -1 online offline mode remove' -l no-rollback -d 'Leave what was done'
complete -c cxlmemctl -n '__cxlmemctl_is -1 online offline mode' -l no-hold -d 'Policy may change it again'
complete -c cxlmemctl -n '__cxlmemctl_is -1 show' -l blocks -d 'Memory blocks of dax devices'
complete -c cxlmemctl -n '__cxlmemctl_is -1 topology' -l ascii -d 'Lines of ASCII'
complete -c cxlmemctl -n '__cxlmemctl_is -1 topology' -l svg -r -F -d 'Replace this file by a picture'
complete -c cxlmemctl -n '__cxlmemctl_is -1 doctor' -l root -x -a '(__fish_complete_directories)' -d 'Read the files below it'
complete -c cxlmemctl -n '__cxlmemctl_is -1 metrics' -l output -r -F -d 'Replace this file'
complete -c cxlmemctl -n '__cxlmemctl_is -1 plan' -l on -r -F -d 'Recorded machines'
complete -c cxlmemctl -n '__cxlmemctl_is -1 plan' -l policy -x -a '(__fish_complete_directories)' -d 'Policy files'
complete -c cxlmemctl -n '__cxlmemctl_is -1 plan' -l against -x -a '(__fish_complete_directories)' \
    -d 'Only what changes from these'
complete -c cxlmemctl -n '__cxlmemctl_is -1 record' -l since -x -a '"1 hour ago" today yesterday' \
    -d 'What has happened since'
complete -c cxlmemctl -n '__cxlmemctl_is -1 record' -l anonymise -d 'Make serial numbers and addresses up'
complete -c cxlmemctl -n '__cxlmemctl_is -1 wait' -l rule -x -a '(__cxlmemctl_rules)' -d 'Memory of a rule'
complete -c cxlmemctl -n '__cxlmemctl_is -1 wait' -l instance -x -a '(__cxlmemctl_rules)' \
    -d 'The same, as a unit is called'
complete -c cxlmemctl -n '__cxlmemctl_is -1 wait' -l device -x -a '(__cxlmemctl_names dax regions memdevs)' \
    -d 'Memory of a device'
complete -c cxlmemctl -n '__cxlmemctl_is -1 wait' -l node -x -d 'Memory of a NUMA node'
complete -c cxlmemctl -n '__cxlmemctl_is -1 wait' -l bytes -x -d 'As much is enough'
complete -c cxlmemctl -n '__cxlmemctl_is -1 wait' -l if-none -x -a 'wait met fail' -d 'If this machine has none'
complete -c cxlmemctl -n '__cxlmemctl_is -1 wait' -l settle -x -d 'How long nothing may appear'
complete -c cxlmemctl -n '__cxlmemctl_is -1 wait' -l watch -d 'Stay until it is about to go'
