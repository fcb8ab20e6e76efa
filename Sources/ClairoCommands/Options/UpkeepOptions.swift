internal import ArgumentParser
internal import ClairoCore

/// How daemons remove obsolete data.
struct UpkeepOptions: ParsableArguments {
    @Flag(
        name: .customLong("no-gc"),
        help: "Leave the removal of obsolete data to other processes, or to clairo gc by hand.")
    var noGC = false

    @Option(
        help: ArgumentHelp(
            "How often one of all processes removes obsolete data, such as 30s or 1h; 0s for never (default: 5m).",
            valueName: "time"))
    var gcInterval: String?

    @Option(
        help: ArgumentHelp(
            "How long segments of failed jobs, replaced outputs and old rows are kept (default: 7d).",
            valueName: "age"))
    var gcOlderThan: String?

    @Option(
        help: ArgumentHelp("Largest number of dead letters to keep (default: 100000).", valueName: "count"))
    var gcDeadLetters: String?

    @Option(
        help: ArgumentHelp(
            "Largest total size of dead letters to keep (default: 1073741824).", valueName: "bytes"))
    var gcDeadLetterBytes: String?

    /// The values of these options by setting.
    var flags: [(Settings.Key, String?)] {
        [
            (.gcInterval, gcInterval), (.gcOlderThan, gcOlderThan), (.gcDeadLetters, gcDeadLetters),
            (.gcDeadLetterBytes, gcDeadLetterBytes),
        ]
    }
}
