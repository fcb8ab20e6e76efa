internal import ClairoCore
internal import Foundation

/// One attempt of a task on ECS. Runs on its own thread.
struct ECSAttempt {
    let service: ECSService
    let spec: TaskSpec
    let io: TaskIO
    let observer: TaskObserver
    let stop: StopRequest
    /// Nil if the task's own role reaches the output store.
    private let access: OutputAccess?

    init(service: ECSService, spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest) {
        self.service = service
        self.spec = spec
        self.io = io
        self.observer = observer
        self.stop = stop
        let output = io.remote?.store.location(of: "")
        access = service.access.flatMap { access in
            output.map { OutputAccess(access.client, role: access.role, spec: spec, output: $0) }
        }
    }

    private var clock: ECSClock { service.client.clock }
    private var pace: ECSExecutor.Pace { service.pace }
    private var cluster: String { service.placement.cluster }

    func run() throws(ClairoError) -> TaskResult {
        try stop.check()
        let exchange = try exchange()
        defer { exchange.clear() }
        try service.pending.enter(stop)
        var isPending = true
        defer { if isPending { service.pending.leave() } }
        try offer(exchange)
        let arn = try start(exchange)
        service.watch.add(arn)
        defer { service.watch.remove(arn) }
        var life = Life(now: clock.now(), pace: pace)
        do throws(ClairoError) {
            while true {
                try stop.check()
                let end = try turn(arn, exchange, &life)
                if isPending, life.hasBegun {
                    isPending = false
                    service.pending.leave()
                }
                if let end { return try outcome(end) }
                guard clock.sleep(life.nextPoll(), stop) else { throw .cancelled }
            }
        } catch {
            // No task may continue to run without a supervisor.
            if !life.isOver { end(arn, exchange, because: error) }
            throw error
        }
    }

    // MARK: Start

    private func exchange() throws(ClairoError) -> Exchange {
        guard io.remote != nil else {
            throw .refused(
                "The output is encrypted, and tasks on ECS write to the store without its keys",
                exitCode: .configuration,
                advice: "Run workers with --executor process or docker, or use a profile without encrypt.")
        }
        guard let output = io.remote?.store, isInS3(output), isInS3(service.exchange) else {
            throw .refused(
                "Tasks on ECS write to S3, but the output store is not in S3", exitCode: .configuration,
                advice: "Set --output-store s3://BUCKET/PREFIX, and --raw-store likewise.")
        }
        // The folder has an unguessable name, because it contains a presigned URL of the source.
        let name = "\(spec.taskID)-\(spec.attempt)-\(UUID().uuidString.lowercased())/"
        return Exchange(store: service.exchange, folder: name)
    }

    private func isInS3(_ store: any BackingStore) -> Bool { store.location(of: "").scheme == "s3" }

    private func offer(_ exchange: Exchange) throws(ClairoError) {
        guard let output = io.remote?.store else { return }
        try beat(exchange, 0)
        try exchange.write(
            ExchangeSpec(
                spec: spec, output: output.location(of: "").url, sourceSize: io.source?.size ?? 0,
                sourceETag: io.source?.etag, interval: pace.sign), ExchangeSpec.key)
    }

    private func beat(_ exchange: Exchange, _ number: Int) throws(ClairoError) {
        var url: String?
        if let source = io.source {
            url = try source.presignedURL(expiresIn: Exchange.sourceSeconds)
            guard url != nil, source.etag != nil else {
                throw .refused(
                    "Tasks on ECS read from S3, but the source is not in S3", exitCode: .configuration,
                    advice: "Upload to a store that tasks can read: --raw-store s3://BUCKET/PREFIX.")
            }
        }
        let output = try access.map { (access) throws(ClairoError) in try access.credentials(stop: stop) }
        try exchange.write(ExchangeLease(beat: number, sourceURL: url, output: output), ExchangeLease.key)
    }

    private func start(_ exchange: Exchange) throws(ClairoError) -> String {
        let reply = try service.client.runTask(service.request(spec, specURL: exchange.specURL), stop: stop)
        guard let task = reply.tasks?.first else { throw ECSStopReason.notStarted(reply.failures ?? []) }
        return task.taskArn
    }

    // MARK: Watch

    /// The known state of a task and the times of the next checks.
    private struct Life {
        let began: Double
        var beat = 0
        var nextBeat: Double
        var nextLook: Double
        var lookSeconds: Double
        var pollSeconds: Double
        let longestPoll: Double
        var isKnown = false
        /// When the task was first seen running.
        var running: Double?
        var progress: ExchangeProgress?
        var lastSign: Double
        /// Why the exchange cannot be read or written at present.
        var exchangeError: ClairoError?
        /// Whether the task has stopped completely.
        var isOver = false

        var hasBegun: Bool { running != nil || isOver }

        init(now: Double, pace: ECSExecutor.Pace) {
            began = now
            nextBeat = now + Exchange.beatSeconds
            nextLook = now + pace.look.first
            lookSeconds = pace.look.first
            pollSeconds = pace.poll.first
            longestPoll = pace.poll.longest
            lastSign = now
        }

        mutating func nextPoll() -> Double {
            defer { pollSeconds = min(pollSeconds * 1.25, longestPoll) }
            return pollSeconds
        }
    }

    /// - Returns: The task's end, or nil while it runs.
    private func turn(_ arn: String, _ exchange: Exchange, _ life: inout Life) throws(ClairoError) -> ExchangeResult? {
        do throws(ClairoError) {
            if clock.now() >= life.nextBeat {
                life.beat += 1
                life.nextBeat = clock.now() + Exchange.beatSeconds
                try beat(exchange, life.beat)
            }
            if let end = try result(exchange) {
                life.isOver = true
                return end
            }
            try listen(exchange, &life)
            life.exchangeError = nil
        } catch  where error.mayPass {
            // The store is unavailable or refuses. If this persists, the attempt fails for lack of heartbeats.
            life.exchangeError = error
        }
        if clock.now() >= life.nextLook, let end = try look(arn, exchange, &life) { return end }
        try checkPatience(life)
        return nil
    }

    private func result(_ exchange: Exchange) throws(ClairoError) -> ExchangeResult? {
        guard let end: ExchangeResult = try exchange.read(ExchangeResult.key) else { return nil }
        guard end.taskID == spec.taskID, end.attempt == spec.attempt else {
            throw .defect("The result of an ECS task belongs to another attempt")
        }
        return end
    }

    private func listen(_ exchange: Exchange, _ life: inout Life) throws(ClairoError) {
        let report: ExchangeProgress? = try exchange.read(ExchangeProgress.key)
        guard let report, report != life.progress else { return }
        life.progress = report
        life.lastSign = clock.now()
        life.running = life.running ?? clock.now()
        observer.progress(report.frames)
    }

    private func look(_ arn: String, _ exchange: Exchange, _ life: inout Life) throws(ClairoError) -> ExchangeResult? {
        let task: ECSTask?
        do throws(ClairoError) {
            task = try service.watch.look(at: arn, noOlderThan: life.lookSeconds / 2, stop: stop)
        } catch  where error.mayPass {
            // ECS is unavailable, throttles or refuses. The task's own reports still count.
            life.nextLook = clock.now() + pace.look.longest
            return nil
        }
        life.nextLook = clock.now() + life.lookSeconds
        life.lookSeconds = min(life.lookSeconds * 1.5, pace.look.longest)
        guard let task else {
            guard life.isKnown || clock.now() - life.began > pace.unknown else { return nil }
            // The task may have written its result before it ended.
            life.isOver = true
            if let end = try result(exchange) { return end }
            throw .temporary("ECS no longer knows the task, so it was lost")
        }
        life.isKnown = true
        if task.isStopped {
            life.isOver = true
            if let end = try result(exchange) { return end }
            throw ECSStopReason(task, container: service.placement.container).error
        }
        if !task.isPending, life.running == nil {
            life.running = clock.now()
            life.lastSign = clock.now()
        }
        return nil
    }

    private func checkPatience(_ life: Life) throws(ClairoError) {
        let now = clock.now()
        guard let running = life.running else {
            guard now - life.began <= pace.start else {
                throw ClairoError(
                    kind: .capacity, exitCode: .temporary,
                    "ECS did not start the task within \(Int(pace.start)) s",
                    advice: "Check the cluster for the reason why its tasks are waiting.")
            }
            return
        }
        if now - max(running, life.lastSign) > pace.stall {
            if let error = life.exchangeError { throw error }
            throw .temporary("The ECS task sent no heartbeat for \(Int(pace.stall)) s and was stopped")
        }
    }

    // MARK: End

    private func outcome(_ end: ExchangeResult) throws(ClairoError) -> TaskResult {
        if end.frames > 0 { observer.progress(end.frames) }
        if let failure = end.failure { throw failure.error }
        guard let result = end.result else { throw .defect("An ECS task ended with neither a result nor a failure") }
        do throws(ImpossibleResult) {
            try end.files.validate()
            _ = try result.validated(for: spec.work)
        } catch {
            throw .defect("The ECS task sent an invalid result: \(error.reason)")
        }
        try io.remote?.adopt(end.files)
        return result
    }

    /// Deletes the lease and stops the task. This must be quick, because the worker may be about to exit.
    private func end(_ arn: String, _ exchange: Exchange, because error: ClairoError) {
        let limit = StopRequest()
        try? exchange.remove(ExchangeLease.key)
        let reason = error.kind == .cancelled ? "Clairo: cancelled" : "Clairo: \(error.message.prefix(200))"
        guard (try? service.client.stopTask(arn, cluster: cluster, reason: reason, stop: limit)) != nil else { return }
        let deadline = clock.now() + pace.stopping
        while clock.now() < deadline {
            let task = try? service.watch.look(at: arn, noOlderThan: 0, stop: limit)
            guard let task, !task.hasEnded else { return }
            _ = clock.sleep(pace.stopping / 8, limit)
        }
    }
}
