# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_watchdog_global_optspecs
    string join \n c/config-dir= data-dir= socket= json color= h/help V/version
end

function __fish_watchdog_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_watchdog_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_watchdog_using_subcommand
    set -l cmd (__fish_watchdog_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c watchdog -n "__fish_watchdog_needs_command" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_needs_command" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_needs_command" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_needs_command" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_needs_command" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_needs_command" -s V -l version -d 'Print version'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "serve" -d 'Run the engine and its API; needs no terminal'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "tui" -d 'Show the terminal interface of a running server'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "init" -d 'Write a starter configuration that watches this machine'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "check" -d 'Check the configuration and list every mistake with its place; needs no server'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "reload" -d 'Load the configuration directory now'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "status" -d 'Tell how everything is; exit code 1 when a monitor is down'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "monitor" -d 'Look at monitors, or probe one now'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "alert" -d 'Look at alerts, and say that you have one'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "rule" -d 'Look at rules, or evaluate one'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "why" -d 'Tell why somebody was told of something, or why not; exit code 1 when not'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "silence" -d 'Keep alerts from being told for a while'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "maintenance" -d 'Look at maintenance windows'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "notify" -d 'Look at notifiers and what they were sent, test them, send again'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "drill" -d 'Send a marked alert the whole way, and tell when each notifier took it'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "query" -d 'Ask for metrics in PromQL: now, at a time, or over a range'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "probe" -d 'Probe a target once, without a server and without files'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "tsdb" -d 'Look at the store of samples, or delete from it'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "man" -d 'Print the manual page, or write all pages'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l listen -d 'Also answer HTTP on this loopback address; port 0 takes a free one [env: WATCHDOG_LISTEN]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l strict -d 'Refuse to start when the configuration has errors'
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l glyphs -d 'Which characters to draw with' -r -f -a "auto\t'As the locale says'
unicode\t'Lines, blocks and dots of Unicode'
ascii\t'Nothing beyond ASCII'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l read-only -d 'Offer nothing that changes anything'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -a "explore" -d 'Open the chart of a query in PromQL'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l range -d 'Length of the range, such as `6h` [default: 1h]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l end -d 'End of the range: RFC 3339, Unix seconds, `now-1h` or `-1h` [default: now, and follow it]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l glyphs -d 'Which characters to draw with' -r -f -a "auto\t'As the locale says'
unicode\t'Lines, blocks and dots of Unicode'
ascii\t'Nothing beyond ASCII'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from help" -f -a "explore" -d 'Open the chart of a query in PromQL'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -s w -l watch -d 'Show it again with every change, until interrupted; with `--json` one value per line'
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "list" -d 'List monitors, the broken ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "show" -d 'Show everything about one monitor; exit code 1 when it is down'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "run" -d 'Probe a monitor now, outside its schedule; exit code 1 when the probe fails'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "history" -d 'List the kept results of a monitor, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l state -d 'Only monitors in these states' -r -f -a "down\t''
degraded\t''
unknown\t''
pending\t''
up\t''
paused\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l type -d 'Only monitors of these types' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l label -d 'Only monitors with this label; may be given more than once' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -s l -l limit -d 'How many results' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "list" -d 'List monitors, the broken ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show everything about one monitor; exit code 1 when it is down'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "run" -d 'Probe a monitor now, outside its schedule; exit code 1 when the probe fails'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "history" -d 'List the kept results of a monitor, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "list" -d 'List pending, firing and recently resolved alerts'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "show" -d 'Show everything about one alert; exit code 1 while it fires'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "ack" -d 'Say that you have it: escalation and repeats pause'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "unack" -d 'Take an acknowledgement back'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "history" -d 'List what happened to alerts, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l state -d 'Only alerts in these states' -r -f -a "pending\t'The condition holds, not yet long enough'
firing\t'It fires'
resolved\t'It is over'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l acked -d 'Only alerts that somebody has'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l unacked -d 'Only alerts that nobody has'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l muted -d 'Only alerts that a silence, a window, an inhibition or a dependency keeps from being told'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -s m -l comment -d 'What you want others to know' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l for -d 'Let it lapse after this time, if it still fires then [default: it ends with the alert]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l until -d 'Let it lapse then: `18:30`, `2026-12-24 18:30`, RFC 3339 or `now+2h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l by -d 'Who has it [default: you]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l since -d 'Only since then: `2h`, `-2h`, RFC 3339' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -s l -l limit -d 'At most so many, the newest' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -s f -l follow -d 'Go on and print what happens'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "list" -d 'List pending, firing and recently resolved alerts'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show everything about one alert; exit code 1 while it fires'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "ack" -d 'Say that you have it: escalation and repeats pause'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "unack" -d 'Take an acknowledgement back'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "history" -d 'List what happened to alerts, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -f -a "list" -d 'List the rules with their last values'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -f -a "eval" -d 'Evaluate a rule now, or at another time, and show what it gives; changes nothing'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l suspicious -d 'Only rules that fail, or never gave a series'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l at -d 'Evaluate at this time: RFC 3339, Unix seconds, `now-1h` or `-1h` [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the rules with their last values'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from help" -f -a "eval" -d 'Evaluate a rule now, or at another time, and show what it gives; changes nothing'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l kind -d 'What is meant, where one name means several' -r -f -a "alert\t'An alert that fires or was over lately'
monitor\t'A monitor and its own alert'
rule\t'A rule and its alerts'"
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "add" -d 'Make a silence: shows what it hides, asks, and prints its id'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "list" -d 'List silences'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "expire" -d 'End silences now'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "extend" -d 'Let a silence last longer'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "preview" -d 'Show what a silence would hide, without making it'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l for -d 'How long [default: 1h]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l until -d 'Until then: `18:30`, `2026-12-24 18:30`, RFC 3339 or `now+2h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l start -d 'From then on [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -s m -l comment -d 'Why' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l by -d 'Who wants it [default: you]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l until-resolved -d 'Until nothing that it matches fires any more, for 7 days at most'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -s y -l yes -d 'Do not ask'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l state -d 'Only silences in these states' -r -f -a "active\t'It mutes'
pending\t'It has not begun'
expired\t'It is over'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l for -d 'By how much its end moves' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l for -d 'How long [default: 1h]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l until -d 'Until then: `18:30`, `2026-12-24 18:30`, RFC 3339 or `now+2h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l start -d 'From then on [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -s m -l comment -d 'Why' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l by -d 'Who wants it [default: you]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l until-resolved -d 'Until nothing that it matches fires any more, for 7 days at most'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make a silence: shows what it hides, asks, and prints its id'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "list" -d 'List silences'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "expire" -d 'End silences now'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "extend" -d 'Let a silence last longer'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "preview" -d 'Show what a silence would hide, without making it'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -f -a "list" -d 'List the windows of the files, the open ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -f -a "next" -d 'List what is under way and what is to come, in order of time'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -s l -l limit -d 'How many occurrences' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the windows of the files, the open ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "next" -d 'List what is under way and what is to come, in order of time'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "list" -d 'List the notifiers and how they do'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "log" -d 'List what was said to whom, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "resend" -d 'Say once more what a notification of the log said'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "test" -d 'Send a test message through a notifier; exit code 1 when it is not taken'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "routes" -d 'Show the tree of routes, or where an alert with certain labels goes'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l receiver -d 'Only to this notifier' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l state -d 'Only those that got this far' -r -f -a "owed\t'Not yet delivered'
delivered\t'Taken by the receiver'
dead\t'Given up'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l alert -d 'Only about this alert: id or its beginning, name, or the monitor it is about' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -s l -l limit -d 'At most so many, the newest' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l before -d 'Only those before this number, to see what is older' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the notifiers and how they do'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "log" -d 'List what was said to whom, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "resend" -d 'Say once more what a notification of the log said'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "test" -d 'Send a test message through a notifier; exit code 1 when it is not taken'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "routes" -d 'Show the tree of routes, or where an alert with certain labels goes'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l at -d 'Evaluate at this time: RFC 3339, Unix seconds, `now-1h` or `-1h` [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l start -d 'Evaluate at every step from this time on' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l end -d 'Last time of a range [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l step -d 'Distance of the steps of a range, such as `30s` [default: about 100 steps, with `--chart` one per column]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l range -d 'Length of a range that ends at `--end`, such as `1h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l timeout -d 'Give up after this time, if the server does not earlier' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l limit -d 'At most so many series' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l glyphs -d 'Which characters to draw with' -r -f -a "auto\t'As the locale says'
unicode\t'Lines, blocks and dots of Unicode'
ascii\t'Nothing beyond ASCII'"
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l chart -d 'Draw the range; the last hour if none is named'
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l csv -d 'Print comma-separated values'
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -f -a "http" -d 'One HTTP request'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -f -a "tcp" -d 'One TCP connection'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -f -a "script" -d 'One run of a program, judged as Nagios does'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -f -a "host" -d 'This machine'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -f -a "prometheus" -d 'One scrape of Prometheus metrics'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp script host prometheus help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l method -d 'Request method' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l header -d 'Request header, `Name: value`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l body -d 'Request body' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-status -d 'Status codes that are fine, e.g. `200-299,404`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-contains -d 'Text that the body must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-not-contains -d 'Text that the body must not contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-matches -d 'Regular expression that the body must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-json -d 'JSON path and the value it must have' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-header -d 'Response header and its value, or a regular expression between slashes' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l cert-valid-for -d 'Least time for which the certificate must still be valid, e.g. `14d`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l redirects -d 'Redirects followed; 0 takes the redirect as the answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l max-body -d 'Bytes of the body that are read, e.g. `64KiB`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l send -d 'Text to send' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l expect-contains -d 'Text that the answer must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l expect-matches -d 'Regular expression that the answer must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l env -d 'Variable of the program\'s environment' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l cwd -d 'Directory to run it in' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l below -d 'Limit, e.g. `cpu=95%`, `memory=90%`, `disk=80%`, `swap=50%`, `load=2`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l user -d 'User to log in as' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l password -d 'The user\'s password' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l bearer -d 'Token to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l sample-limit -d 'Most samples of an answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "http" -d 'One HTTP request'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "tcp" -d 'One TCP connection'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "script" -d 'One run of a program, judged as Nagios does'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "host" -d 'This machine'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "prometheus" -d 'One scrape of Prometheus metrics'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "inspect" -d 'List the files of the store and what is in them; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "verify" -d 'Check every file; exit code 1 when one is damaged; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "dump" -d 'Print the samples of series; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "delete" -d 'Delete samples of a running server; tells first how many series it would be'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l start -d 'Only samples from this time on: RFC 3339, Unix seconds, `now-1h` or `-1h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l end -d 'Only samples up to this time' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l resolution -d 'Samples as written, or roll-ups' -r -f -a "raw\t'As written'
5m\t'The last value of every five minutes'
1h\t'The last value of every hour'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l start -d 'Only samples from this time on: RFC 3339, Unix seconds, `now-1h` or `-1h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l end -d 'Only samples up to this time' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l yes -d 'Delete, instead of telling what would be deleted'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "inspect" -d 'List the files of the store and what is in them; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check every file; exit code 1 when one is damaged; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "dump" -d 'Print the samples of series; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "delete" -d 'Delete samples of a running server; tells first how many series it would be'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l dir -d 'Write those of bash, zsh and fish into this directory' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l dir -d 'Write the pages of all commands into this directory' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "serve" -d 'Run the engine and its API; needs no terminal'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "tui" -d 'Show the terminal interface of a running server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "init" -d 'Write a starter configuration that watches this machine'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "check" -d 'Check the configuration and list every mistake with its place; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "reload" -d 'Load the configuration directory now'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "status" -d 'Tell how everything is; exit code 1 when a monitor is down'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "monitor" -d 'Look at monitors, or probe one now'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "alert" -d 'Look at alerts, and say that you have one'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "rule" -d 'Look at rules, or evaluate one'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "why" -d 'Tell why somebody was told of something, or why not; exit code 1 when not'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "silence" -d 'Keep alerts from being told for a while'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "maintenance" -d 'Look at maintenance windows'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "notify" -d 'Look at notifiers and what they were sent, test them, send again'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "drill" -d 'Send a marked alert the whole way, and tell when each notifier took it'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "query" -d 'Ask for metrics in PromQL: now, at a time, or over a range'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "probe" -d 'Probe a target once, without a server and without files'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "tsdb" -d 'Look at the store of samples, or delete from it'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "completions" -d 'Print the completions of a shell'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "man" -d 'Print the manual page, or write all pages'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query probe tsdb completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tui" -f -a "explore" -d 'Open the chart of a query in PromQL'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from monitor" -f -a "list" -d 'List monitors, the broken ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from monitor" -f -a "show" -d 'Show everything about one monitor; exit code 1 when it is down'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from monitor" -f -a "run" -d 'Probe a monitor now, outside its schedule; exit code 1 when the probe fails'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from monitor" -f -a "history" -d 'List the kept results of a monitor, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "list" -d 'List pending, firing and recently resolved alerts'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "show" -d 'Show everything about one alert; exit code 1 while it fires'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "ack" -d 'Say that you have it: escalation and repeats pause'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "unack" -d 'Take an acknowledgement back'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "history" -d 'List what happened to alerts, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from rule" -f -a "list" -d 'List the rules with their last values'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from rule" -f -a "eval" -d 'Evaluate a rule now, or at another time, and show what it gives; changes nothing'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "add" -d 'Make a silence: shows what it hides, asks, and prints its id'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "list" -d 'List silences'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "expire" -d 'End silences now'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "extend" -d 'Let a silence last longer'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "preview" -d 'Show what a silence would hide, without making it'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "list" -d 'List the windows of the files, the open ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "next" -d 'List what is under way and what is to come, in order of time'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "list" -d 'List the notifiers and how they do'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "log" -d 'List what was said to whom, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "resend" -d 'Say once more what a notification of the log said'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "test" -d 'Send a test message through a notifier; exit code 1 when it is not taken'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "routes" -d 'Show the tree of routes, or where an alert with certain labels goes'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "http" -d 'One HTTP request'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "tcp" -d 'One TCP connection'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "script" -d 'One run of a program, judged as Nagios does'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "host" -d 'This machine'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "prometheus" -d 'One scrape of Prometheus metrics'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tsdb" -f -a "inspect" -d 'List the files of the store and what is in them; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tsdb" -f -a "verify" -d 'Check every file; exit code 1 when one is damaged; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tsdb" -f -a "dump" -d 'Print the samples of series; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tsdb" -f -a "delete" -d 'Delete samples of a running server; tells first how many series it would be'
