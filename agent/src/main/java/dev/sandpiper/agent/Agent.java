package dev.sandpiper.agent;

import ch.qos.logback.classic.Level;
import dev.sandpiper.agent.accounts.AccountSettings;
import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.SandboxDefaults;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.auth.AuthSettings;
import dev.sandpiper.agent.auth.BasicUserFilter;
import dev.sandpiper.agent.auth.HostFilter;
import dev.sandpiper.agent.auth.InitAccess;
import dev.sandpiper.agent.auth.SignedUrls;
import dev.sandpiper.agent.auth.TokenFilter;
import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import dev.sandpiper.agent.filesystem.Entries;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.filesystem.FilesystemSettings;
import dev.sandpiper.agent.filesystem.UploadNotes;
import dev.sandpiper.agent.filesystem.Uploads;
import dev.sandpiper.agent.filesystem.watch.WatchSettings;
import dev.sandpiper.agent.filesystem.watch.Watches;
import dev.sandpiper.agent.http.AfterRequests;
import dev.sandpiper.agent.http.CorsFilter;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.HttpHandler;
import dev.sandpiper.agent.http.HttpServer;
import dev.sandpiper.agent.http.HttpSettings;
import dev.sandpiper.agent.http.ListenSettings;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.http.StartGate;
import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.journal.StateDirectory;
import dev.sandpiper.agent.launch.Launcher;
import dev.sandpiper.agent.launch.PosixLauncher;
import dev.sandpiper.agent.logs.AgentLog;
import dev.sandpiper.agent.logs.LogQueries;
import dev.sandpiper.agent.logs.ProcessNews;
import dev.sandpiper.agent.logs.SandboxLogs;
import dev.sandpiper.agent.machine.TrustStore;
import dev.sandpiper.agent.output.OutputSettings;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.output.PipeLoop;
import dev.sandpiper.agent.output.epoll.EpollPipeLoop;
import dev.sandpiper.agent.posix.NativeHeap;
import dev.sandpiper.agent.posix.OwnEnvironment;
import dev.sandpiper.agent.process.Intents;
import dev.sandpiper.agent.process.ProcessIds;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.ProcessSettings;
import dev.sandpiper.agent.record.RecordEmitter;
import dev.sandpiper.agent.record.RecordSettings;
import dev.sandpiper.agent.record.RecordSink;
import dev.sandpiper.agent.record.RecordWriter;
import dev.sandpiper.agent.rest.Awaited;
import dev.sandpiper.agent.rest.ComposeRoute;
import dev.sandpiper.agent.rest.EnvsRoute;
import dev.sandpiper.agent.rest.Errors;
import dev.sandpiper.agent.rest.FilesRoutes;
import dev.sandpiper.agent.rest.HealthRoute;
import dev.sandpiper.agent.rest.InitRoute;
import dev.sandpiper.agent.rest.LogsRoutes;
import dev.sandpiper.agent.rest.MetricsRoute;
import dev.sandpiper.agent.rest.OpenApiRoute;
import dev.sandpiper.agent.rest.ProcessRoutes;
import dev.sandpiper.agent.rest.SandboxFacts;
import dev.sandpiper.agent.rpc.Dispatch;
import dev.sandpiper.agent.rpc.RpcServer;
import dev.sandpiper.agent.rpc.RpcSettings;
import dev.sandpiper.agent.rpc.connect.ConnectProtocol;
import dev.sandpiper.agent.rpc.grpc.GrpcProtocol;
import dev.sandpiper.agent.service.FilesystemService;
import dev.sandpiper.agent.service.Health;
import dev.sandpiper.agent.service.LogsService;
import dev.sandpiper.agent.service.ProcessService;
import dev.sandpiper.agent.service.ProcessesService;
import dev.sandpiper.agent.service.Reflection;
import dev.sandpiper.agent.service.WatchService;
import dev.sandpiper.agent.telemetry.AgentLogging;
import dev.sandpiper.agent.telemetry.Counters;
import dev.sandpiper.agent.telemetry.LogQueue;
import dev.sandpiper.agent.telemetry.Metrics;
import dev.sandpiper.agent.tree.TreeSettings;
import dev.sandpiper.agent.upgrade.Handover;
import dev.sandpiper.proto.filesystem.FilesystemGrpc;
import dev.sandpiper.proto.process.ProcessGrpc;
import dev.sandpiper.proto.v1.LogsGrpc;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import io.grpc.Status;
import io.grpc.health.v1.HealthGrpc;
import java.io.IOException;
import java.net.BindException;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The running daemon: every object is built here, once, started in order and stopped in reverse.
final class Agent implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger("agent");

  /// Variables of every command. Programs ask this one whether they run in a microVM of E2B's.
  private static final Map<String, String> OWN_VARIABLES = Map.of("E2B_SANDBOX", "false");

  /// What the JVM's compilers work in is kept for reuse for up to five seconds.
  private static final long TRIM_AFTER_MILLIS = 7_000;

  /// One step of the way down.
  private interface Stop {
    void run() throws Exception;
  }

  /// What is to be undone, the last thing done first.
  private final Deque<Stop> stops = new ArrayDeque<>();

  private @Nullable Estate estate;

  private Agent() {}

  /// Every setting of the daemon, in the order of the documentation.
  static List<Setting<?>> settings() {
    List<Setting<?>> all = new ArrayList<>();
    all.addAll(ListenSettings.all());
    all.addAll(AuthSettings.all());
    all.addAll(AgentSettings.all());
    all.addAll(AccountSettings.all());
    all.addAll(ProcessSettings.all());
    all.addAll(TreeSettings.all());
    all.addAll(OutputSettings.all());
    all.addAll(RecordSettings.all());
    all.addAll(FilesystemSettings.all());
    all.addAll(WatchSettings.all());
    return all;
  }

  /// Starts the daemon. When this returns the port answers and commands can be started; when it throws, nothing is left
  /// running.
  ///
  /// @param recordSink where records and log lines go
  /// @param handedOver from the agent whose place this one takes; null where there was none
  static Agent start(Settings settings, RecordSink recordSink, @Nullable Handover handedOver)
      throws IOException, BadSettingException {
    Agent agent = new Agent();
    try {
      agent.build(settings, recordSink, new Legacy(handedOver));
    } catch (IOException | BadSettingException | RuntimeException | Error e) {
      agent.close();
      throw e;
    }
    return agent;
  }

  private void build(Settings settings, RecordSink recordSink, Legacy legacy)
      throws IOException, BadSettingException {
    AgentSettings own = AgentSettings.from(settings);
    HttpSettings listen = ListenSettings.from(settings);
    AuthSettings access = AuthSettings.from(settings, listen.addresses());
    legacy.token().ifPresent(access.token()::set);
    InstantSource clock = InstantSource.system();
    Counters counters = new Counters();
    Metrics metrics = new Metrics(Version::current);
    metrics.add(counters);

    LogQueue ownLines = AgentLogging.configure(Level.valueOf(own.logLevel().name()));
    AgentLog agentLog = new AgentLog(Agent::lastWords);
    ownLines.tap(agentLog);
    RecordWriter writer = new RecordWriter(recordSink, ownLines, clock, counters, Agent::lastWords);
    RecordEmitter emitter =
        new RecordEmitter(RecordSettings.from(settings), writer, clock, counters);
    writer.startHeld();
    stops.push(writer::close);

    // The port first: whoever waits for /health does not wait for the rest, for the foreign calls
    // that it
    // begins with least of all. Other requests wait for their routes, and RPCs for their services.
    Router router = new Router();
    router.filter(new CorsFilter(access.token()::isSet));
    router.filter(
        new HostFilter(access.token(), access.allowedHosts(), access.anyHost(), Errors::json));
    router.filter(new TokenFilter(access.token(), Errors::json));
    HealthRoute.register(router, Version.current());
    HttpHandler routes = new AfterRequests(router, TRIM_AFTER_MILLIS, NativeHeap::trim);
    StartGate gate = new StartGate(routes, Agent::isAnsweredAtOnce);
    HttpServer http = new HttpServer(listen, gate);
    try {
      http.bind(legacy.listeners());
    } catch (BindException e) {
      throw new IOException("--listen, --port: " + e.getMessage(), e);
    }
    metrics.listening();
    metrics.add(http);
    metrics.add(router);
    stops.push(http::close);

    Users users = new Users();
    Accounts accounts =
        new Accounts(users, new SandboxDefaults(AccountSettings.from(settings).defaultUser()));
    accounts.defaults().update(legacy::defaults);
    RpcServer rpc =
        new RpcServer(RpcSettings.DEFAULTS, List.of(new ConnectProtocol(), new GrpcProtocol()));
    router.filter(
        new BasicUserFilter(
            accounts::exists,
            accounts::defaultUserName,
            (exchange, message) ->
                rpc.refuse(exchange, Status.UNAUTHENTICATED.withDescription(message))));
    InitRoute.register(
        router,
        new InitAccess(access.token(), access.initSecret()),
        accounts.defaults(),
        TrustStore.ofSystem());
    EnvsRoute.register(router, accounts.defaults(), OWN_VARIABLES);
    MetricsRoute.register(router, metrics, clock);
    FilesystemSettings filesystem = FilesystemSettings.from(settings);
    FileWork files = new FileWork(users, filesystem.enforceUserPermissions());
    UploadNotes notes = new UploadNotes(own.stateDirectory());
    Uploads uploads = new Uploads(filesystem.enforceUserPermissions(), notes);
    FilesRoutes.register(
        router,
        new FilesRoutes.Parts(
            accounts,
            new SignedUrls(access.token()),
            files,
            uploads,
            filesystem.uploadIdleLimit(),
            counters));
    ComposeRoute.register(router, accounts, files, uploads);
    Awaited<ProcessManager> managed = new Awaited<>();
    ProcessRoutes.register(router, managed);
    Awaited<LogQueries> logQueries = new Awaited<>();
    LogsRoutes.register(
        router,
        logQueries,
        new SandboxFacts(
            Optional.of(own.sandboxId()).filter(id -> !id.isEmpty()),
            System.getenv().getOrDefault("E2B_TEMPLATE_ID", ""),
            clock.instant()));
    OpenApiRoute.register(router, Version::current);
    router.fallback(rpc);
    metrics.add(rpc);
    gate.open();

    StateDirectory state = StateDirectory.open(own.stateDirectory());
    stops.push(state::close);
    agentLog.keepIn(state.path().resolve("agent-log"));
    stops.push(agentLog::close);
    state.notes().forEach(LOG::warn);
    Journal journal = state.openJournal(own.syncJournal());
    stops.push(journal::close);
    PipeLoop loop = new EpollPipeLoop();
    stops.push(loop::close);
    stops.push(() -> writer.letGo(RecordWriter.LIMIT)); // before the directory is another agent's
    resume(emitter, state, journal);
    OutputStore store = OutputStore.open(state.output(), OutputSettings.from(settings), loop);
    stops.push(store::close);
    metrics.add(store);
    journal.onNeedsRoom(store::makeRoom);
    notes.open(filesystem.enforceUserPermissions());
    stops.push(notes::close);
    stops.push(files::close);
    Entries entries = new Entries(users, files);
    Watches watches = new Watches(WatchSettings.from(settings), files, entries, counters);
    stops.push(watches::close);
    ProcessIds ids = new ProcessIds(clock);
    List<JournalEntry> earlier =
        Intents.settle(journal.entries(), journal, TreeSettings.from(settings));
    Launcher launcher =
        PosixLauncher.open(users, state.path(), ids.get(), ProcessManager.earlier(earlier), legacy);
    stops.push(launcher::close);
    stops.push(
        http::close); // before what its requests use, and again at its own place, which then has no
    // effect
    ProcessNews processNews = new ProcessNews();
    ProcessManager processes =
        new ProcessManager(
            ProcessSettings.from(settings),
            new ProcessManager.Parts(
                accounts, launcher, store, loop, journal, ids, clock, TreeSettings.from(settings)),
            System.getenv(),
            OWN_VARIABLES,
            List.of(new RecordingListener(emitter, own.recordArguments()), processNews));
    processes.recover(earlier);
    emitter.resumed();
    writer.release();
    stops.push(processes::stop);
    metrics.add(processes.metrics());
    managed.set(processes);
    SandboxLogs logs =
        new SandboxLogs(processes, processNews, agentLog, own.recordArguments(), store, clock);
    logQueries.set(logs);
    stops.push(logs::close);
    // Read by now; commands of the same user could find them in /proc.
    AuthSettings.secretVariables().stream()
        .filter(System.getenv()::containsKey)
        .forEach(OwnEnvironment::wipe);
    rpc.add(new ProcessService(processes).bindService(), Dispatch.EVENT_LOOP);
    rpc.addLater(
        ProcessesGrpc.SERVICE_NAME,
        () -> new ProcessesService(processes).bindService(),
        Dispatch.EVENT_LOOP);
    rpc.addLater(
        LogsGrpc.SERVICE_NAME, () -> new LogsService(logs).bindService(), Dispatch.EVENT_LOOP);
    rpc.addLater(
        FilesystemGrpc.SERVICE_NAME,
        () ->
            new FilesystemService(
                    accounts, entries, state.path(), new WatchService(accounts, watches))
                .bindService(),
        Dispatch.EVENT_LOOP);
    Health health =
        new Health(
            List.of(
                ProcessGrpc.SERVICE_NAME,
                ProcessesGrpc.SERVICE_NAME,
                LogsGrpc.SERVICE_NAME,
                FilesystemGrpc.SERVICE_NAME));
    rpc.addLater(HealthGrpc.SERVICE_NAME, health::bindService, Dispatch.EVENT_LOOP);
    Reflection.services()
        .forEach((name, service) ->
            rpc.addLater(name, () -> service.get().bindService(), Dispatch.EVENT_LOOP));
    rpc.ready();
    stops.push(health::stopping);

    settings.warnings().forEach(LOG::warn);
    access.warnings().forEach(LOG::warn);
    LOG.info(
        "sandpiper {} listens at {}{}: {}",
        Version.current(),
        http.addresses(),
        legacy.upgrade(clock.instant()).map(text -> ", " + text).orElse(""),
        settings.render());
    estate = new Estate(http, state, processes, access.token(), accounts.defaults(), legacy);
    estate.announce(legacy.failure().orElse(null));
    Thread.ofPlatform()
        .name("warm-up")
        .daemon()
        .start(() -> {
          launcher.warmUp();
          agentLog.open();
          notes.removeLeftovers();
        });
  }

  /// What needs no more than the filters that are there before the port is bound: credentials are for the others.
  private static boolean isAnsweredAtOnce(HttpExchange exchange) {
    return exchange.path().equals("/health")
        && !exchange.requestHeaders().contains("authorization");
  }

  /// The records go on where an earlier agent on this directory stopped.
  private static void resume(RecordEmitter emitter, StateDirectory state, Journal journal) {
    List<String> notes = new ArrayList<>();
    try {
      emitter.resume(
          state.path(),
          processIds ->
              journal.append(
                  processIds.stream().map(JournalEntry.EmitterPosition::allLeft).toList()),
          notes);
    } catch (IOException failure) {
      notes.add(
          "--state-dir: how far records come cannot be kept, after a crash they come again: "
              + failure.getMessage());
    }
    notes.forEach(LOG::warn);
  }

  /// What can no longer be a record.
  @SuppressWarnings("SystemOut") // standard error is the one place left for it
  private static void lastWords(String words) {
    System.err.println(words);
  }

  /// Stops for whoever takes this agent's place: everything that {@link #close} does, but commands are left running, and
  /// what must not be closed is handed over.
  ///
  /// @throws IOException saying why nothing can be handed over; then nothing has been stopped
  synchronized Handover handOver() throws IOException, InterruptedException {
    Estate whole = estate;
    if (whole == null || stops.isEmpty()) {
      throw new IOException("the agent is stopping");
    }
    Handover handover = whole.handOver();
    close();
    return handover;
  }

  /// Says in the state directory why this agent was not replaced.
  synchronized void announceFailure(String why) {
    if (estate != null) {
      estate.announce(why);
    }
  }

  /// Stops everything, the last thing started first: commands with their grace, then the connections, then the records.
  /// May be called twice; waits.
  @Override
  public synchronized void close() {
    while (!stops.isEmpty()) {
      try {
        stops.pop().run();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } catch (Exception e) {
        LOG.error("a step of stopping failed", e);
      }
    }
  }
}
