import ClairoCommands

/// The process entry: everything is in ClairoCommands.
@main
struct Clairo {
    static func main() async {
        await ClairoCommand.start()
    }
}
