import ClairoCommands

/// The process entry: everything is in ClairoCommands.
@main
struct Clairo {
    @MainActor static func main() async {
        await ClairoCommand.start()
    }
}
