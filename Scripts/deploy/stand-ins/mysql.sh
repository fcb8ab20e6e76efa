#!/usr/bin/env bash
# MariaDB with the database and the user that the MySQL image would create.
set -euo pipefail
[[ -d /var/lib/mysql/mysql ]] || mariadb-install-db --user=root --datadir=/var/lib/mysql --skip-test-db >/dev/null
cat >/tmp/init.sql <<END
CREATE DATABASE IF NOT EXISTS $MYSQL_DATABASE;
CREATE USER IF NOT EXISTS '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';
GRANT ALL ON $MYSQL_DATABASE.* TO '$MYSQL_USER'@'%';
END
mkdir -p /run/mysqld
exec mariadbd --user=root --datadir=/var/lib/mysql --bind-address=0.0.0.0 --init-file=/tmp/init.sql
