internal import ClairoCore

/// Parses ids on the command line.
enum VideoArgument {
    static func ids(_ texts: [String]) throws(ClairoError) -> [VideoID] {
        var ids: [VideoID] = []
        for text in texts {
            guard let id = VideoID(text) else {
                throw .usage("\(text) is not a video's id", advice: "clairo status lists the videos.")
            }
            ids.append(id)
        }
        return ids
    }
}
