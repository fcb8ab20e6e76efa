/// A planned image rendition: the storyboard, from which players show previews on the seek bar.
///
/// Small pictures of the video at regular times, the tiles, lie in sheets, row by row. A tile is a key frame of a
/// finished rung, so the time from one to the next is a whole number of GOPs, and no other frame needs to be decoded.
public struct ImagePlan: Sendable, Codable, Hashable {
    /// The largest number of tiles, at which a preview of a long video is still fine and costs little to make.
    static let maxTiles = 300
    /// The long side of a tile in pixels.
    static let longSide = 160
    /// The tiles in a row, and the rows, of a sheet. One sheet is about 80 kB, which a player loads at once.
    static let maxColumns = 5
    static let maxRows = 5

    /// The id: `storyboard`. Also the name of the folder.
    public var id: String
    /// Frames per second of the video.
    public var frameRate: Rational
    /// The number of frames of the video.
    public var frameCount: Int
    /// The number of frames from one tile to the next.
    public var framesPerTile: Int
    /// The size of a tile.
    public var tile: FrameSize
    /// The number of tiles in a row of a sheet.
    public var columns: Int
    /// The number of rows of a sheet.
    public var rows: Int

    /// The storyboard of a video; nil if it has no frame or no rung in SDR.
    public init?(storyboardOf video: VideoPlan) {
        let grid = video.grid
        guard grid.frameCount > 0, let largest = video.largestSDRRung, let smallest = video.smallestSDRRung else {
            return nil
        }
        id = "storyboard"
        frameRate = grid.frameRate
        frameCount = grid.frameCount
        framesPerTile = grid.gopFrames * grid.gopsPerPicture(atMost: Self.maxTiles)
        tile = Self.tile(shape: largest.size, largest: smallest.size)
        let tiles = (frameCount + framesPerTile - 1) / framesPerTile
        // A short video needs a part of a sheet only.
        columns = min(tiles, Self.maxColumns)
        rows = min((tiles + Self.maxColumns - 1) / Self.maxColumns, Self.maxRows)
    }

    /// The size of a tile: in the shape of the video, with even sides, and not larger than the frames it is made from.
    private static func tile(shape: FrameSize, largest: FrameSize) -> FrameSize {
        let long = max(2, min(longSide, max(largest.width, largest.height)) / 2 * 2)
        let short = long * shape.shortSide / max(shape.width, shape.height, 1)
        let even = max(2, (short + 1) / 2 * 2)
        return shape.width >= shape.height
            ? FrameSize(width: long, height: even) : FrameSize(width: even, height: long)
    }

    /// Only accepts possible values, because loops and the sizes of pictures follow from them.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(String.self, forKey: .id)
        frameRate = try container.decode(Rational.self, forKey: .frameRate)
        frameCount = try container.decode(Int.self, forKey: .frameCount)
        framesPerTile = try container.decode(Int.self, forKey: .framesPerTile)
        tile = try container.decode(FrameSize.self, forKey: .tile)
        columns = try container.decode(Int.self, forKey: .columns)
        rows = try container.decode(Int.self, forKey: .rows)
        let sides = 2...1000
        guard frameRate > .zero, frameRate.num <= Int32.max, frameRate.den <= Int32.max,
            (1...100_000_000).contains(frameCount), (1...100_000_000).contains(framesPerTile),
            sides.contains(tile.width), sides.contains(tile.height), tile.width % 2 == 0, tile.height % 2 == 0,
            (1...20).contains(columns), (1...20).contains(rows), tileCount <= 100_000
        else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(codingPath: container.codingPath, debugDescription: "This is no storyboard"))
        }
    }
}

extension ImagePlan {
    /// The number of tiles.
    public var tileCount: Int { (frameCount + framesPerTile - 1) / framesPerTile }
    /// The number of tiles in a full sheet.
    public var tilesPerSheet: Int { columns * rows }
    /// The number of sheets.
    public var sheetCount: Int { (tileCount + tilesPerSheet - 1) / tilesPerSheet }
    /// The size of every sheet. In the last one, places without a tile are black.
    public var sheetSize: FrameSize { FrameSize(width: columns * tile.width, height: rows * tile.height) }
    /// The time from one tile to the next in seconds.
    public var tileDuration: Rational { Rational(Int64(framesPerTile)) / frameRate }
    /// The duration of the video in seconds.
    public var duration: Rational { Rational(Int64(frameCount)) / frameRate }

    /// The frame of which a tile is a picture.
    public func frame(ofTile index: Int) -> Int { index * framesPerTile }

    /// The time in seconds from which a tile is shown. The index after the last one gives the end of the video.
    public func start(ofTile index: Int) -> Rational {
        Rational(Int64(min(index * framesPerTile, frameCount))) / frameRate
    }

    /// The tiles of a sheet, counted from 0.
    public func tiles(ofSheet index: Int) -> Range<Int> {
        index * tilesPerSheet..<min((index + 1) * tilesPerSheet, tileCount)
    }

    /// The pixels by which a tile is to the right of, and below, the corner of its sheet.
    public func position(ofTile index: Int) -> (x: Int, y: Int) {
        let place = index % tilesPerSheet
        return (place % columns * tile.width, place / columns * tile.height)
    }

    /// The keys of the sheets, in order.
    public var sheetKeys: [ObjectKey] { (0..<sheetCount).map(segmentKey) }
    /// The WebVTT file that tells web players where each tile is.
    public var trackKey: ObjectKey { OutputLayout.storyboardTrack(id) }
    /// Every object that may be written for it.
    public var objectKeys: [ObjectKey] { sheetKeys + companionKeys }
}

extension ImagePlan: RenditionKeys {
    /// Always an image.
    public var kind: RenditionKind { .image }
    /// The finish task makes all sheets, and each of its attempts makes the same.
    public func attempt(ofSegment index: Int) -> Int { 1 }
}

extension SegmentGrid {
    /// The number of GOPs from one picture to the next so that pictures at equal distances are no more than a number.
    public func gopsPerPicture(atMost count: Int) -> Int {
        let gops = (frameCount + gopFrames - 1) / gopFrames
        return max(1, (gops + count - 1) / count)
    }
}

extension VideoPlan {
    /// The rung that pictures of the best quality are made from.
    public var largestSDRRung: Rung? {
        rungs.filter { $0.dynamicRange == .sdr }.max { $0.size.pixels < $1.size.pixels }
    }

    /// The rung that costs least to decode. H.264 comes first, and costs less than later codecs.
    public var smallestSDRRung: Rung? {
        rungs.filter { $0.dynamicRange == .sdr }.min { $0.size.pixels < $1.size.pixels }
    }
}
