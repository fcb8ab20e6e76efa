/// What `clairo serve-metrics` says of the whole pipeline, out of the database and the brokers.
///
/// Those of Kafka have the names of kafka_exporter (https://github.com/danielqsj/kafka_exporter), so that dashboards made
/// for it work.
extension MetricFamily {
    // MARK: The scrape itself

    public static let scrapeSuccess = gauge(
        "clairo_scrape_success", "Whether the last look at a source went well", labels: ["source"])
    public static let scrapeDuration = gauge(
        "clairo_scrape_duration_seconds", "Time that the last look at a source took, in seconds", labels: ["source"])
    public static let scrapeAge = gauge(
        "clairo_scrape_age_seconds", "Age of what this page says of a source, in seconds", labels: ["source"])

    // MARK: The database

    public static let pipelineVideos = gauge("clairo_videos", "Videos by state", labels: ["state"])
    public static let pipelineJobs = gauge("clairo_jobs", "Jobs by state", labels: ["state"])
    public static let jobsInFlight = gauge("clairo_jobs_in_flight", "Jobs that are not over")
    public static let oldestJob = gauge(
        "clairo_jobs_oldest_age_seconds", "Age of the oldest job in a state that is not final, in seconds",
        labels: ["state"])
    public static let pipelineTasks = gauge("clairo_tasks", "Tasks by stage and state", labels: ["stage", "state"])
    public static let oldestTask = gauge(
        "clairo_tasks_oldest_age_seconds", "Age of the oldest task that is pending or running, in seconds",
        labels: ["stage", "state"])
    public static let tasksDue = gauge(
        "clairo_tasks_due", "Pending tasks that may be taken now", labels: ["stage"])
    public static let abandonedTasks = gauge(
        "clairo_tasks_abandoned", "Running tasks whose worker has given no sign of life for longer than its lease",
        labels: ["stage"])
    public static let workers = gauge("clairo_workers_busy", "Workers that hold tasks now")
    public static let outboxPending = gauge("clairo_outbox_pending", "Messages in the outbox that are not delivered")
    public static let outboxDue = gauge("clairo_outbox_due", "Messages in the outbox that should be delivered now")
    public static let outboxOldest = gauge(
        "clairo_outbox_oldest_seconds", "Age of the oldest message in the outbox, in seconds")
    public static let outboxOverdue = gauge(
        "clairo_outbox_overdue_seconds", "Time for which the longest due message of the outbox has been due, in seconds"
    )
    public static let queuedMessages = gauge(
        "clairo_queue_messages", "Messages in the local queue that are not done", labels: ["topic"])
    public static let deadLettersPending = gauge(
        "clairo_dead_letters_pending", "Dead letters that nobody has tried again", labels: ["topic"])

    // MARK: The stores

    public static let storeObjects = gauge("clairo_store_objects", "Objects in a store", labels: ["store"])
    public static let storeBytes = gauge("clairo_store_bytes", "Bytes of all objects in a store", labels: ["store"])

    // MARK: ECS

    public static let ecsTasks = gauge(
        "clairo_ecs_tasks", "Tasks on ECS that workers have started, by ECS's status", labels: ["status"])
    public static let ecsCPUs = gauge(
        "clairo_ecs_task_cpus", "CPUs that tasks on ECS have been given", labels: ["status"])
    public static let ecsMemory = gauge(
        "clairo_ecs_task_memory_bytes", "Memory that tasks on ECS have been given, in bytes", labels: ["status"])
    public static let ecsStopped = gauge(
        "clairo_ecs_tasks_stopped", "Tasks on ECS that stopped within the last hour, by ECS's reason", labels: ["code"])

    // MARK: Kafka

    public static let kafkaBrokers = gauge("kafka_brokers", "Brokers of the cluster")
    public static let kafkaTopicPartitions = gauge(
        "kafka_topic_partitions", "Partitions of a topic", labels: ["topic"])
    public static let kafkaEndOffset = gauge(
        "kafka_topic_partition_current_offset", "Where the next message of a partition will be",
        labels: ["topic", "partition"])
    public static let kafkaOldestOffset = gauge(
        "kafka_topic_partition_oldest_offset", "The oldest message of a partition", labels: ["topic", "partition"])
    public static let kafkaGroupOffset = gauge(
        "kafka_consumergroup_current_offset", "Where a group goes on in a partition",
        labels: ["consumergroup", "topic", "partition"])
    public static let kafkaLag = gauge(
        "kafka_consumergroup_lag", "Messages of a partition that a group has not done",
        labels: ["consumergroup", "topic", "partition"])
    public static let kafkaMembers = gauge(
        "kafka_consumergroup_members", "Members of a group", labels: ["consumergroup"])
    public static let kafkaDeadLetters = gauge(
        "clairo_kafka_dead_letter_messages", "Messages that a topic of dead letters keeps", labels: ["topic"])
}
